"""The one name a dynamics parameter has: `kind.object.attribute[index]`, in MuJoCo's words.

`body.torso.mass`, `joint.knee.damping`, `geom.foot.friction[0]`, `opt.gravity[2]`. The same string
stands in a robot's TOML file, in a posterior, in a plot.
"""

import re
from dataclasses import dataclass

from sim2real.errors import ParameterError

_PATTERN = re.compile(
    r"(?P<kind>\w+)\.(?:(?P<object>.+)\.)?(?P<attribute>\w+)(?:\[(?P<index>\d+)\])?"
)


@dataclass(frozen=True)
class ParameterName:
    """A parameter name in its parts; `object` is empty for options (`opt.gravity[2]`)."""

    kind: str
    object: str
    attribute: str
    index: int | None = None

    @classmethod
    def parse(cls, text: str) -> "ParameterName":
        """Return the parts of `text`; raises ParameterError if it is no parameter name."""
        match = _PATTERN.fullmatch(text)
        if match is None or (match["object"] is None) != (match["kind"] == "opt"):
            raise ParameterError(
                f"{text!r} is not a parameter name: write kind.object.attribute, as in"
                " 'body.torso.mass', 'geom.foot.friction[0]' or 'opt.gravity[2]'"
            )
        index = None if match["index"] is None else int(match["index"])
        return cls(match["kind"], match["object"] or "", match["attribute"], index)

    def __str__(self) -> str:
        middle = f".{self.object}." if self.object else "."
        end = "" if self.index is None else f"[{self.index}]"
        return f"{self.kind}{middle}{self.attribute}{end}"
