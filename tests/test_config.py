from dataclasses import dataclass, field
from typing import Literal

import pytest

from sim2real import config
from sim2real.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Inner:
    rate: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Outer:
    name: str
    count: int = 3
    kind: Literal["a", "b"] = "a"
    span: tuple[float, float] | None = None
    sizes: tuple[int, ...] = ()
    inner: Inner = field(default_factory=Inner)
    table: dict[str, Inner] = field(default_factory=dict)


FULL = Outer(
    name="x", span=(1.0, 2.0), sizes=(1, 2, 3), inner=Inner(rate=2.0), table={"y": Inner(rate=3.0)}
)


def test_what_was_saved_loads_as_it_was(tmp_path):
    config.save(FULL, tmp_path / "a.toml")
    assert config.load(Outer, tmp_path / "a.toml") == FULL


def test_whole_numbers_are_numbers_too():
    assert config.from_dict(Outer, {"name": "x", "inner": {"rate": 2}}).inner.rate == 2.0


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"name": "x", "cuont": 1}, "did you mean 'count'"),
        ({}, "'name' is missing"),
        ({"name": "x", "inner": {"rate": float("nan")}}, "inner: rate: nan is not a number"),
        ({"name": 1}, "1 is not a string"),
        ({"name": "x", "count": 1.5}, "1.5 is not a whole number"),
        ({"name": "x", "count": True}, "True is not a whole number"),
        ({"name": "x", "kind": "c"}, "known: a, b"),
        ({"name": "x", "span": [1.0]}, "1 values given, 2 expected"),
        ({"name": "x", "inner": {"rte": 1.0}}, "inner: unknown key 'rte'"),
        ({"name": "x", "table": {"y": {"rate": "fast"}}}, "table.y: rate: 'fast' is not a number"),
    ],
)
def test_a_wrong_value_is_refused_with_where_and_what_is_allowed(data, says):
    with pytest.raises(ConfigError) as caught:
        config.from_dict(Outer, data, "file.toml")
    assert says in str(caught.value)
    assert "file.toml" in str(caught.value)


def test_a_file_that_is_no_toml_is_refused_with_the_line(tmp_path):
    (tmp_path / "a.toml").write_text("name = \n")
    with pytest.raises(ConfigError, match="line 1"):
        config.load(Outer, tmp_path / "a.toml")


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.toml"
    config.save(FULL, path)
    before = path.read_bytes()
    with pytest.raises(TypeError):
        config.save({"bad": object()}, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("name", "says"), [("folder", "directory"), ("a.toml", "denied")])
def test_a_file_that_cannot_be_written_is_named_as_it_was_given(tmp_path, monkeypatch, name, says):
    def refuse(**_):
        raise PermissionError(13, "Permission denied", "/a/temporary/name")

    (tmp_path / "folder").mkdir()
    if says == "denied":
        monkeypatch.setattr(config.tempfile, "mkstemp", refuse)
    with pytest.raises(OSError, match=says) as caught:
        config.write_atomically(tmp_path / name, b"")
    assert caught.value.filename == str(tmp_path / name)
