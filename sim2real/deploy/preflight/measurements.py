"""Do measurements come, as often and as fresh as the controller needs them?"""

from collections.abc import Iterator

from sim2real.deploy.envelope.stream import Stream
from sim2real.deploy.envelope.verdict import Verdict
from sim2real.deploy.preflight.bench import Bench, Finding, finding

_SECONDS = 1.0


def check_measurements(bench: Bench) -> Iterator[Finding]:
    """Read for a second at the control rate."""
    stream, fresh, steps = Stream(bench.envelope), 0, round(_SECONDS / bench.envelope.period)
    bench.driver.stop()
    newest = bench.measured().seq
    for _ in range(steps):
        bench.sleep(bench.envelope.period)
        measured = bench.driver.read()
        if measured is None:
            continue
        check = stream.check(measured, bench.clock.now())
        if check.verdict != Verdict.OK:
            yield finding("measurements can be believed", False, check.reason)
            return
        fresh += measured.seq > newest
        newest = measured.seq
    detail = f"{fresh} of {steps} control steps had a new one"
    yield finding("measurements can be believed", fresh >= 0.9 * steps, detail)
