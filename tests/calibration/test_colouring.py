import numpy as np

from sim2real.calibration.colouring import colours, moved_by


def test_what_moves_nothing_in_common_is_perturbed_together():
    moved = np.zeros((5, 1, 3), bool)
    moved[0, 0, 0] = moved[1, 0, 1] = moved[2, 0, 2] = True  # three joints' own parameters
    moved[3] = True  # one that moves all
    moved[4, 0, :2] = True
    groups = colours(moved)
    assert sorted(i for group in groups for i in group) == [0, 1, 2, 3, 4]
    assert [3] in groups
    for group in groups:
        assert moved[group].sum(axis=0).max() == 1


def test_a_joint_that_hardly_feels_a_parameter_counts_as_unmoved():
    jacobian = np.zeros((2, 10, 2, 2))
    jacobian[..., 0, 0], jacobian[..., 1, 0] = 1.0, 0.01
    jacobian[..., 1, 1] = 1.0
    moved = moved_by(jacobian, np.array([0, 0]))
    np.testing.assert_array_equal(moved[:, 0], [[True, False], [False, True]])


def test_own_parameters_of_different_logs_share_a_rollout():
    moved = np.zeros((2, 2, 1), bool)
    moved[0, 0] = moved[1, 1] = True
    assert colours(moved) == [[0, 1]]
