"""The process behind the terminal's dashboard: facts on stdin, a table on stderr."""

import os
import select
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sim2real.deploy.live.facts import read_facts
from sim2real.deploy.live.view import Pulse, snapshot

_PERIOD = 0.2  # s
_STYLES = {"RUNNING": "bold green", "READY": "yellow", "DAMP": "red", "OFF": "dim"}


def main() -> None:
    """Draw until stdin ends."""
    facts, _ = read_facts()
    ring = facts.open_ring()
    pulse = Pulse(ring)
    with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as live:
        while not _ended():
            live.update(table(snapshot(facts, ring), pulse.silent()), refresh=True)


def table(told: dict[str, Any], silent: float = 0.0) -> Table:
    """Return what a person wants to know: of `snapshot`, and for how long no step has come [s]."""
    rows = Table.grid(padding=(0, 2))
    state = Text(told["state"], style=_STYLES[told["state"]])
    shadow = "  (shadow: nothing is sent)" if told["shadow"] else ""
    rows.add_row("state", state + Text(shadow, style="yellow"))
    if silent > 1.0 and told["state"] in ("READY", "RUNNING"):
        hangs = f"no control step for {silent:.0f} s: the run hangs, and the robot damps"
        rows.add_row("", Text(hangs, style="red"))
    if told["reason"]:
        rows.add_row("tripped", Text(told["reason"], style="red"))
    if "rate" not in told:
        return rows
    rows.add_row("rate", f"{told['rate']:.2f} Hz, {told['skipped']} steps skipped lately")
    for name, label in (("jitter_ms", "jitter"), ("age_ms", "age of data")):
        found = told[name]
        text = f"{found['p50']:.2f} / {found['p99']:.2f} / {found['max']:.2f} ms"
        rows.add_row(label, f"{text}  (median, 99th percentile, largest)")
    rows.add_row("envelope", f"{told['intervention']:.2%} of the commands changed")
    for each in told["margins"]:
        rows.add_row("", f"{bar(each['margin'])} {each['margin']:6.1%} left: {each['name']}")
    if "outside" in told:
        found = told["outside"]
        rows.add_row("training", f"{found['by']:.0%} outside what it met: {found['name']}")
    return rows


def bar(share: float, width: int = 20) -> str:
    """Return a bar of a share in [0, 1]."""
    full = round(min(max(share, 0.0), 1.0) * width)
    return "━" * full + "·" * (width - full)


def _ended() -> bool:
    ready, _, _ = select.select([0], [], [], _PERIOD)
    return bool(ready) and not os.read(0, 1)


if __name__ == "__main__":
    main()
