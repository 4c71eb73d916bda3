"""The one formula of the dynamics gap, on logits."""

from typing import Any

SOURCE, TARGET = 0, 1
"""Columns of logits: the simulation, and the robot."""


def delta_r(sas_logits: Any, sa_logits: Any) -> Any:
    """Return log p_target(s'|s, a) − log p_source(s'|s, a) (...), in nats.

    Bayes' rule on two classifiers of the domain: what (s, a, s') tells, less what (s, a) alone
    tells of who was where (Eysenbach et al. 2021, arXiv:2006.13916, section 4.2). Both were
    trained on as many transitions of one domain as of the other. Any array library's arrays.

    Args:
        sas_logits: of the classifier that sees (s, a, s'), (..., 2); never probabilities.
        sa_logits: of the one that sees (s, a), (..., 2).
    """
    sas = sas_logits[..., TARGET] - sas_logits[..., SOURCE]
    sa = sa_logits[..., TARGET] - sa_logits[..., SOURCE]
    return sas - sa
