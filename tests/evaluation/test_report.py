import pytest

from sim2real import shipped
from sim2real.evaluation.report import parameter_rows, write_report
from sim2real.evaluation.results import PolicyResult, Results
from sim2real.parameters.posterior import Posterior
from sim2real.training.job import Job

MASS = "body.bob.mass"


def results(truth):
    posterior = Posterior(
        names=(MASS,), mean=(0.5,), covariance=((0.01**2,),), lower=(0.1,), upper=(1.0,), origin={}
    )
    policy = PolicyResult(
        name="wide", job=Job(robot="pendulum"), learning=[],
        simulated={"wide": {"return": 1.0, "worst_tenth": 0.0, "success": 1.0}},
    )  # fmt: skip
    return Results(
        robot=shipped.find_robot("pendulum"), policies=[policy], calibration=None,
        posterior=posterior, truth=truth, steps=[],
    )  # fmt: skip


@pytest.mark.parametrize(("planted", "covered"), [(0.51, True), (0.6, False)])
def test_a_planted_value_is_compared_with_the_interval(planted, covered, tmp_path):
    (row,) = parameter_rows(results({MASS: planted}))
    assert row["covered"] is covered
    write_report(results({MASS: planted}), tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "<th>planted</th>" in page
    assert (">inside<" in page) is covered


def test_a_real_robot_has_no_column_of_planted_values(tmp_path):
    write_report(results({}), tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert MASS in page
    assert "planted" not in page
