"""How well a score tells two samples apart, and how sure that is."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata, t

Array = NDArray[np.float64]


def auc(source: Array, target: Array) -> float:
    """Return the probability that a target's score is above a source's; ties count half.

    The area under the ROC curve, by ranks (Mann and Whitney 1947). Scores are (n,) and (m,).
    """
    ranks = rankdata(np.concatenate([source, target]))
    m = len(target)
    return float((ranks[-m:].sum() - m * (m + 1) / 2) / (m * len(source)))


def auc_interval(
    source: Array,
    target: Array,
    block: NDArray[np.int64],
    rng: np.random.Generator,
    draws: int = 400,
) -> tuple[float, float]:
    """Return a 95 % interval of the AUC of pairs, by a bootstrap over blocks (Kunsch 1989).

    Rows near in time are alike: a bootstrap over single rows would be too sure.

    Args:
        source: scores (n,).
        target: scores (n,) of the same windows.
        block: which stretch of time each row is of (n,).
        rng: chooses the blocks.
        draws: how many times.
    """
    members = [np.flatnonzero(block == b) for b in np.unique(block)]
    values = []
    for _ in range(draws):
        chosen = rng.integers(len(members), size=len(members))
        rows = np.concatenate([members[i] for i in chosen])
        values.append(auc(source[rows], target[rows]))
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def refit_margin(source: Array, target: Array, fold: NDArray[np.int64]) -> float:
    """Return half a 95 % interval of the AUC for what fitting to other stretches would change.

    A bootstrap of scores does not know that the classifiers would be others, too. The AUCs of the
    parts do: their spread, corrected for what the parts' training data have in common (Nadeau and
    Bengio 2003, section 5).

    Args:
        source: scores (n,).
        target: scores (n,) of the same windows.
        fold: in which part each was held out (n,); 0 is returned for one part.
    """
    parts = np.unique(fold)
    if len(parts) < 2:
        return 0.0
    k = len(parts)
    each = [auc(source[fold == part], target[fold == part]) for part in parts]
    error = np.std(each, ddof=1) * np.sqrt(1 / k + 1 / (k - 1))
    return float(t.ppf(0.975, k - 1) * error)
