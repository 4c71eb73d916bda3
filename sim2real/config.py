"""Frozen dataclasses from strict TOML, and back.

A configuration is a frozen, keyword-only dataclass. `load` reads one from a file and refuses
unknown keys and wrong types, naming what is known; `save` writes one that `load` reads again.
"""

import dataclasses
import errno
import functools
import math
import os
import tempfile
import tomllib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from sim2real.errors import ConfigError, Sim2RealError, known

T = TypeVar("T")


def read_toml(path: Path) -> dict[str, Any]:
    """Return the tables of a TOML file; raises ConfigError with the line that is not TOML."""
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None


def load(cls: type[T], path: Path) -> T:
    """Return the dataclass `cls` that the TOML file describes; raises ConfigError."""
    return from_dict(cls, read_toml(path), where=str(path))


def from_dict(cls: type[T], data: Mapping[str, Any], where: str = "") -> T:
    """Return the dataclass `cls` with the values of `data`; `where` begins each error message."""
    hints = _hints(cls)
    names = {field.name for field in dataclasses.fields(cls) if field.init}  # type: ignore[arg-type]
    for key in data:
        if key not in names:
            raise ConfigError(f"{where}: unknown key {key!r}{known(key, names)}")
    values = {key: _convert(hints[key], value, f"{where}: {key}") for key, value in data.items()}
    missing = [field.name for field in dataclasses.fields(cls) if _required(field)]  # type: ignore[arg-type]
    for name in missing:
        if name not in values:
            raise ConfigError(f"{where}: the key {name!r} is missing; needed: {', '.join(missing)}")
    try:
        return cls(**values)
    except Sim2RealError as error:  # of the values together: say where they stand
        raise type(error)(f"{where}: {error}" if where else str(error)) from None


def to_dict(value: Any) -> Any:
    """Return plain tables, lists and scalars; None (TOML has none) is left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        pairs = ((f.name, getattr(value, f.name)) for f in dataclasses.fields(value) if f.init)
        return {name: to_dict(item) for name, item in pairs if item is not None}
    if isinstance(value, Mapping):
        return {str(key): to_dict(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [to_dict(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def save(value: Any, path: Path) -> None:
    """Write a dataclass or table as TOML, atomically: the file is whole or as it was."""
    import tomli_w

    write_atomically(path, tomli_w.dumps(to_dict(value)).encode())


def write_atomically(path: Path, content: bytes) -> None:
    """Replace the file at `path` in one step, so that a crash leaves the old or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:  # say the name that was given, not the one beside it
        raise type(error)(error.errno, error.strerror, str(path)) from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _required(field: dataclasses.Field[Any]) -> bool:
    has_default = field.default is not dataclasses.MISSING
    return field.init and not has_default and field.default_factory is dataclasses.MISSING


def _convert(hint: Any, value: Any, where: str) -> Any:  # noqa: PLR0911 - one line a kind of type
    """Return `value` as the type `hint` asks, or raise ConfigError."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin in (Union, types.UnionType):
        return _convert_union(arguments, value, where)
    if origin is Literal:
        if value not in arguments:
            raise ConfigError(f"{where}: {value!r}{known(str(value), map(str, arguments))}")
        return value
    if origin is tuple:
        return _convert_tuple(arguments, value, where)
    if origin in (dict, Mapping) or origin is typing.get_origin(Mapping[str, Any]):
        table = _expect(value, dict, where)
        return {key: _convert(arguments[1], item, f"{where}.{key}") for key, item in table.items()}
    if dataclasses.is_dataclass(hint):
        return from_dict(typing.cast("type[Any]", hint), _expect(value, dict, where), where)
    if hint is Path:
        return Path(_expect(value, str, where))
    if hint is float:
        return _number(value, where)
    return _expect(value, hint, where)


def _number(value: Any, where: str) -> float:
    number = float(_expect(value, (int, float), where))
    if math.isnan(number):  # TOML knows it; nothing that is configured can be it
        raise ConfigError(f"{where}: nan is not a number")
    return number


def _convert_union(options: tuple[Any, ...], value: Any, where: str) -> Any:
    reasons = []
    for option in options:
        if option is type(None):
            continue
        try:
            return _convert(option, value, where)
        except ConfigError as error:
            reasons.append(str(error))
    raise ConfigError(
        reasons[0] if len(reasons) == 1 else f"{where}: none of: {'; '.join(reasons)}"
    )


def _convert_tuple(items: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    values = _expect(value, (list, tuple), where)
    if len(items) == 2 and items[1] is Ellipsis:
        return tuple(_convert(items[0], item, f"{where}[{i}]") for i, item in enumerate(values))
    if len(values) != len(items):
        raise ConfigError(f"{where}: {len(values)} values given, {len(items)} expected")
    pairs = enumerate(zip(items, values, strict=True))
    return tuple(_convert(item, part, f"{where}[{i}]") for i, (item, part) in pairs)


def _expect(value: Any, kind: Any, where: str) -> Any:
    is_number = kind is int or (isinstance(kind, tuple) and int in kind)
    if not isinstance(value, kind) or (isinstance(value, bool) and is_number):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        names = {"dict": "table", "str": "string", "int": "whole number", "float": "number",
                 "tuple": "list"}  # fmt: skip
        wanted = " or ".join(sorted({names.get(k.__name__, k.__name__) for k in kinds}))
        raise ConfigError(f"{where}: {value!r} is not a {wanted}")
    return value
