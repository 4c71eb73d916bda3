"""The verb `plan`, and planners where they do not belong."""

import pytest

FEW = ("--planner.horizon", 3, "--planner.candidates", 8, "--planner.elites", 4)


def test_plan_drives_a_simulated_robot_without_training(sim2real):
    outcome = sim2real("plan", "pendulum", "--seconds", 0.05, "--nominal", *FEW, "--json")
    assert outcome.code == 0
    assert len(outcome.json["rewards"]) == 5
    assert outcome.json["counts"] == {"kept_plan": 0}


def test_plans_for_several_worlds_are_followed_for_a_while(sim2real):
    options = ("--worlds", 3, "--risk", 0.5, "--every", 2, "--seconds", 0.04)
    assert "return" in sim2real("plan", "pendulum", *options, *FEW).out


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--planner.method", "mppi", "--planner.kept", 2), "mppi has no"),
        (("--every", 9, *FEW), "every = 9"),
        (("--risk", 1.5, *FEW), "risk"),
        (("--seconds", -1.0, *FEW), "seconds"),
    ],
)
def test_what_cannot_be_planned_is_refused(sim2real, options, told):
    outcome = sim2real("plan", "pendulum", *options)
    assert outcome.code == 2
    assert told in outcome.err


def test_a_floating_base_is_refused(sim2real):
    assert "floating base" in sim2real("plan", "ant", *FEW).err


def test_a_policy_takes_no_planner(sim2real, tiny_run):
    outcome = sim2real("export", tiny_run[0], "--planner.method", "mppi")
    assert outcome.code == 2
    assert "holds no dynamics model" in outcome.err
