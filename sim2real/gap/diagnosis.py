"""What the numbers of a training with a gap's correction mean, in words."""

from collections.abc import Mapping

SEPARABLE, SATURATED, GLOBAL, UNKNOWN, LATE = 0.9, 0.2, -0.3, 0.5, 0.5
UNFORESEEN = 0.2


def warnings(metrics: Mapping[str, float], progress: float) -> list[str]:
    """Return what is wrong, most telling first; nothing if the correction does what it should.

    Args:
        metrics: what `GapCorrection.learn` returned, maybe averaged over rounds.
        progress: share of the training that is over.
    """
    found = []
    if metrics.get("sa_accuracy", 0.5) > SEPARABLE:
        found.append(
            "separable policies: state and action alone tell the domains apart in"
            f" {metrics['sa_accuracy']:.0%}: the target's transitions are not what this policy"
            " does; collect them with it, or more often"
        )
    if metrics.get("clipped", 0.0) > SATURATED:
        found.append(
            f"saturated: Δr is at its clip in {metrics['clipped']:.0%} of the transitions and has"
            " no slope there: raise estimator.noise"
        )
    if metrics.get("known", 1.0) < UNKNOWN:
        found.append(
            f"little overlap: only {metrics['known']:.0%} of what the policy does lies where the"
            " target has been: record there, or raise target_steps"
        )
    if progress >= LATE and metrics.get("delta_r", 0.0) < GLOBAL:
        found.append(
            f"global gap: the mean Δr stays at {metrics['delta_r']:.2f} nat: the policy finds no"
            " way around it, or λ is too small for it to look for one (raise strength). A reward"
            " can only avoid: calibrate (sim2real gap, sim2real calibrate), or learn the forces"
            ' that are missing (method = "residual")'
        )
    if metrics.get("foreseen", 1.0) < UNFORESEEN:
        found.append(
            f"unforeseen: state and command tell only {metrics['foreseen']:.0%} of the missing"
            " forces: there is no gap, or it is in delays, noise or contacts, which no force of"
            " theirs makes up for"
        )
    return found
