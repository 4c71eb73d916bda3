"""How every picture looks, and how it becomes SVG for a page or a PNG file."""

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

COLOURS = ("#d97706", "#2563eb", "#059669", "#9333ea")
TRUTH, NOMINAL, INK = "#111827", "#9ca3af", "#374151"
_STYLE: dict[str, Any] = {
    "font.family": "sans-serif", "font.size": 10, "axes.spines.top": False,
    "axes.spines.right": False, "axes.axisbelow": True, "axes.edgecolor": "#9ca3af",
    "axes.labelcolor": INK,
    "xtick.color": "#6b7280", "ytick.color": "#6b7280", "axes.grid": True,
    "grid.color": "#e5e7eb", "legend.frameon": False, "svg.fonttype": "none",
    "svg.hashsalt": "sim2real",
}  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """Something to draw, at its size in inches."""

    width: float
    height: float
    draw: Callable[[FigureBase], None]

    def svg(self) -> str:
        """Return it as one `<svg>` element."""
        with figure(self.width, self.height) as (canvas, image):
            self.draw(canvas)
        return image[0]


def png(pictures: Sequence[Picture], title: str) -> bytes:
    """Return the pictures below each other as one PNG image."""
    heights = [picture.height for picture in pictures]
    size = (max(picture.width for picture in pictures), sum(heights) + 0.5)
    with mpl.rc_context(_STYLE):  # type: ignore[arg-type]
        canvas = Figure(figsize=size, layout="constrained", dpi=150)
        canvas.suptitle(title, fontsize=13, color=TRUTH)
        parts = canvas.subfigures(len(pictures), 1, height_ratios=heights, squeeze=False)
        for part, picture in zip(parts[:, 0], pictures, strict=True):
            picture.draw(part)
        buffer = io.BytesIO()
        canvas.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def logarithmic(axes: Axes, axis: str) -> None:
    """Make an axis one of orders of magnitude, with plain numbers on it."""
    getattr(axes, f"set_{axis}scale")("log")
    ticks = getattr(axes, f"{axis}axis")
    ticks.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ticks.set_major_formatter(lambda value, _: f"{value:g}")
    ticks.set_minor_formatter(NullFormatter())
    ticks.set_minor_locator(NullLocator())


@contextmanager
def figure(width: float, height: float) -> Iterator[tuple[Figure, list[str]]]:
    """Yield a figure, and a list that holds its SVG text afterwards."""
    image: list[str] = []
    with mpl.rc_context(_STYLE):  # type: ignore[arg-type]
        canvas = Figure(figsize=(width, height), layout="constrained")
        yield canvas, image
        buffer = io.StringIO()
        canvas.savefig(buffer, format="svg", metadata={"Date": None}, dpi=150)
    text = buffer.getvalue()
    image.append(text[text.index("<svg") :])
