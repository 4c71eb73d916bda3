"""Experiment B: a gridworld with a wall that only the target has.

    python benchmarks/gap/gridworld.py [--quick]

10 × 10 cells, a move slips to one side with probability 0.1, start at the top left, goal at the
top right; the wall leaves two rows free at the bottom. Policies come from soft value iteration in
the source; Δr from counts, which are the classifiers of a table. Success is exact: the probability
of reaching the goal on the target within 100 steps. Writes results/gap_gridworld.json.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
import _result

from sim2real.gap.formula import delta_r

SIZE, SLIP, HORIZON = 10, 0.1, 100
MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))
START, GOAL = 0, SIZE - 1
STEP_COST, TEMPERATURE, DISCOUNT = -0.02, 0.005, 0.99
LAMBDA, TRUST = 0.2, 1.0
"""Weight of Δr, and how many visits the source's model counts as."""
ENOUGH = 0.95
Cells = frozenset[tuple[int, int]]


@dataclass(frozen=True)
class Layout:
    """Cells that are walls, in the source and in the target."""

    source: Cells
    target: Cells


def _column(*doors: int) -> Cells:
    return frozenset((row, 5) for row in range(SIZE) if row not in doors)


WALL = Layout(frozenset(), _column(8, 9))
ROOM = Layout(_column(2), _column(7))
"""The source's way out is closed in the target, the target's in the source: nothing to retreat to.
"""


def model(walls: Cells) -> np.ndarray:
    """Return the probabilities p(s' | s, a), (s, a, s'); the goal is left by nothing."""
    n = SIZE * SIZE
    p = np.zeros((n, 4, n))
    for s in range(n):
        for a in range(4):
            for turn, chance in ((0, 1.0 - SLIP), (1, SLIP / 2), (3, SLIP / 2)):
                p[s, a, _moved(s, (a + turn) % 4, walls)] += chance
    p[GOAL] = 0.0
    p[GOAL, :, GOAL] = 1.0
    return p


def _moved(s: int, a: int, walls: Cells) -> int:
    row, column = divmod(s, SIZE)
    row, column = row + MOVES[a][0], column + MOVES[a][1]
    inside = 0 <= row < SIZE and 0 <= column < SIZE
    return row * SIZE + column if inside and (row, column) not in walls else s


def policy(p: np.ndarray, bonus: np.ndarray) -> np.ndarray:
    """Return the soft-optimal policy (s, a) in the model `p` with `bonus` (s, a, s') added."""
    reward = np.full(p.shape[:2], STEP_COST) + p[:, :, GOAL] * (np.arange(len(p)) != GOAL)[:, None]
    reward = reward + (p * bonus).sum(axis=2)
    reward[GOAL] = 0.0
    value = np.zeros(len(p))
    for _ in range(400):
        q = reward + DISCOUNT * p @ value
        top = q.max(axis=1)
        value = top + TEMPERATURE * np.log(np.exp((q - top[:, None]) / TEMPERATURE).sum(axis=1))
        value[GOAL] = 0.0
    weights = np.exp((q - q.max(axis=1, keepdims=True)) / TEMPERATURE)
    return weights / weights.sum(axis=1, keepdims=True)


def success(pi: np.ndarray, p: np.ndarray) -> float:
    """Return the probability that policy `pi` reaches the goal within the horizon."""
    chain = np.einsum("sa,sat->st", pi, p)
    where = np.zeros(len(p))
    where[START] = 1.0
    for _ in range(HORIZON):
        where = where @ chain
    return float(where[GOAL])


def play(pi: np.ndarray, p: np.ndarray, rng: np.random.Generator, counts: np.ndarray) -> int:
    """Play an episode, count its transitions, and return its steps."""
    s, steps = START, 0
    while s != GOAL and steps < HORIZON:
        a = rng.choice(4, p=pi[s])
        after = rng.choice(len(p), p=p[s, a])
        counts[s, a, after] += 1
        s, steps = after, steps + 1
    return steps


def learned_delta_r(
    source: np.ndarray, visits: np.ndarray, counts: np.ndarray, *, sa: bool = True
) -> np.ndarray:
    """Return Δr (s, a, s') from the target's counts; without `sa`, of the first classifier alone.

    Args:
        source: its model, (s, a, s').
        visits: of the source's policy (s, a), as many in all as the target's.
        counts: of the target's transitions (s, a, s').
        sa: whether the second classifier corrects the first.
    """
    told = counts.sum(axis=2)
    possible = source > 0
    prior = TRUST * source
    if not sa:  # what nobody corrects: the target has been in few places
        prior = TRUST * source * (1.0 / source.shape[0])
    tiny = 1e-12
    sas = np.stack([np.log((visits + TRUST)[..., None] * source + tiny),
                    np.log(counts + prior + tiny)], axis=-1)  # fmt: skip
    before = np.stack([np.log(visits + TRUST), np.log(told + TRUST)], axis=-1)[:, :, None]
    value = delta_r(sas, before if sa else 0.0 * before)
    return np.where(possible, np.clip(value, -10.0, 10.0), 0.0)


def darc(layout: Layout, seed: int, *, most: int = 3000, sa: bool = True) -> dict[str, Any]:
    """Return after how many target steps ENOUGH succeed, None if never, and the last success."""
    rng = np.random.default_rng((seed, 0))
    source, target = model(layout.source), model(layout.target)
    counts, visits = np.zeros_like(source), np.zeros(source.shape[:2])
    there = np.zeros_like(source)
    pi, steps, reached = policy(source, np.zeros_like(source)), 0, None
    while steps < most:
        steps += play(pi, target, rng, counts)
        play(pi, source, rng, there)
        visits = there.sum(axis=2) * (counts.sum() / max(1.0, there.sum()))
        pi = policy(source, LAMBDA * learned_delta_r(source, visits, counts, sa=sa))
        if reached is None and success(pi, target) >= ENOUGH:
            reached = steps
            break
    return {"seed": seed, "steps": reached, "success": success(pi, target), "taken": steps}


def q_learning(layout: Layout, seed: int, *, most: int = 60_000) -> dict[str, Any]:
    """Return after how many steps on the target a table of Q-values succeeds as often."""
    rng = np.random.default_rng((seed, 1))
    target = model(layout.target)
    q, steps, s, age = np.zeros(target.shape[:2]), 0, START, 0
    while steps < most:
        a = int(rng.integers(4)) if rng.random() < 0.1 else int(q[s].argmax())
        after = int(rng.choice(len(target), p=target[s, a]))
        goal = after == GOAL
        wanted = 1.0 + STEP_COST if goal else STEP_COST + DISCOUNT * q[after].max()
        q[s, a] += 0.5 * (wanted - q[s, a])
        steps, age = steps + 1, age + 1
        s, age = (START, 0) if goal or age >= HORIZON else (after, age)
        if steps % 250 == 0 and success(np.eye(4)[q.argmax(axis=1)], target) >= ENOUGH:
            return {"seed": seed, "steps": steps}
    return {"seed": seed, "steps": None}


def exact(layout: Layout) -> dict[str, float]:
    """Return the success on the target of policies that know Δr, and nothing of it."""
    source, target = model(layout.source), model(layout.target)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(source > 0, np.log(target) - np.log(source), 0.0)
    bonus = LAMBDA * np.clip(ratio, -10.0, 10.0)
    return {
        "exact": success(policy(source, bonus), target),
        "source": success(policy(source, np.zeros_like(source)), target),
        "target": success(policy(target, np.zeros_like(target)), target),
    }


def main() -> None:
    """Run all seeds and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one seed: a smoke test")
    quick = parser.parse_args().quick
    seeds = range(1 if quick else 10)
    results: dict[str, Any] = {
        "wall": exact(WALL),
        "room": exact(ROOM),
        "learned": [darc(WALL, seed) for seed in seeds],
        "sas_only": [darc(WALL, seed, sa=False) for seed in seeds],
        "room_learned": [darc(ROOM, seed) for seed in seeds],
        "q_learning": [q_learning(WALL, seed) for seed in seeds],
    }
    for name, rows in results.items():
        print(name, rows, flush=True)
    print(_result.save("gap_gridworld", settings={"lambda": LAMBDA, "quick": quick},
                       results=results))  # fmt: skip


if __name__ == "__main__":
    main()
