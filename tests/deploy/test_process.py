import os

from sim2real.deploy import process
from sim2real.deploy.process import realtime


def test_a_process_is_as_before_after_it_ran_in_real_time():
    before = os.sched_getscheduler(0)
    with realtime() as refused:
        assert all(":" in each for each in refused)
    assert os.sched_getscheduler(0) == before


def test_what_the_system_refuses_is_told_in_words(monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(process.os, "sched_setscheduler", refuse)
    with realtime() as refused:
        assert refused[0] == "SCHED_FIFO: Operation not permitted"
