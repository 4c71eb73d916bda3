import numpy as np
import pytest

from sim2real.deploy.driver import Measurement
from sim2real.deploy.envelope.verdict import Check, Verdict
from sim2real.deploy.live.facts import Facts
from sim2real.deploy.ring import Ring
from sim2real.deploy.supervisor import Decision, State
from sim2real.signals import Measured

MS = 1_000_000


class Run:
    """A run's ring, filled by hand."""

    def __init__(self, robot, recorder):
        self.robot, self.recorder, self.ring = robot, recorder, recorder.ring
        self.facts = Facts.of(robot, self.ring, seen={
            "position": ((-1.0,) * 3, (1.0,) * 3), "velocity": ((-2.0,) * 3, (2.0,) * 3),
        })  # fmt: skip

    def rows(self, ticks, position=(0.0, 0.0, 0.0), verdict=Verdict.OK, state=State.RUNNING):
        signals = Measured(position=np.array(position), velocity=np.zeros(3))
        for i, tick in enumerate(ticks):
            measured = Measurement(seq=i, stamp=tick, received=tick - 3 * MS, signals=signals)
            decision = Decision(state=state, command=np.zeros(2), check=Check(verdict, "because"))
            self.recorder.record(tick, measured, decision)


@pytest.fixture
def run(tmp_path, arm):
    from sim2real.deploy.recorder import Recorder

    with Recorder(tmp_path / "run.mcap", arm, black_box=True) as recorder:
        assert isinstance(recorder.ring, Ring)
        yield Run(arm, recorder)
