"""The picture of prediction errors against how far they look ahead."""

from pathlib import Path

from matplotlib.figure import FigureBase

from sim2real import config
from sim2real.evaluation.drawing import COLOURS, NOMINAL, Picture, png
from sim2real.meta.horizon import HorizonError


def write_horizon(error: HorizonError, path: Path, title: str) -> None:
    """Write the errors of an adapted and an unadapted model as a PNG picture."""

    def draw(canvas: FigureBase) -> None:
        axes = canvas.subplots()
        lines = (
            ("unadapted", error.unadapted, COLOURS[0]),
            ("adapted", error.adapted, COLOURS[1]),
            ("nothing changes", error.stands_still, NOMINAL),
        )
        for name, values, colour in lines:
            axes.plot(error.seconds, values, color=colour, label=name)
        axes.set(xlabel="ahead [s]", ylabel="error [standard deviations]", ylim=(0.0, None))
        axes.legend(loc="upper left")

    config.write_atomically(path, png([Picture(6.0, 3.2, draw)], f"{title}: open-loop prediction"))
