import pathlib

import numpy as np
import pytest
import torch

from sim2real.errors import ConfigError
from sim2real.training import saved


class Payload:
    """Touches a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return pathlib.Path.touch, (self.path,)


@pytest.mark.parametrize("read", [saved.load_checkpoint, saved.load_policy])
def test_code_in_a_file_is_refused_and_not_executed(tmp_path, read):
    touched = tmp_path / "touched"
    for name in (saved.POLICY, saved.CHECKPOINT):
        torch.save({"steps": Payload(touched)}, tmp_path / name)
    with pytest.raises(ConfigError, match="damaged"):
        read(tmp_path)
    assert not touched.exists()


def test_arrays_tensors_and_plain_values_come_back_as_they_were(tmp_path):
    data = {"a": np.arange(6.0).reshape(2, 3), "b": [torch.ones(2), 3, "text", None], "c": b"raw"}
    data |= {"bits": np.array([True, False]), "ids": np.arange(3, dtype=np.uint64)}
    saved.save(data, tmp_path / saved.CHECKPOINT)
    read = saved.load_checkpoint(tmp_path)
    assert read["b"][1:] == data["b"][1:]
    assert read["c"] == b"raw"
    for name in ("a", "bits", "ids"):
        np.testing.assert_array_equal(read[name], data[name])
        assert read[name].dtype == data[name].dtype
