import pytest

from sim2real.errors import ParameterError
from sim2real.parameters.names import ParameterName


@pytest.mark.parametrize(
    "text", ["body.torso.mass", "geom.foot.friction[0]", "opt.gravity[2]", "joint.a.b/c.damping"]
)
def test_a_name_round_trips(text):
    assert str(ParameterName.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "mass", "body.mass", "opt.a.gravity", "body.x.mass[-1]", "a b.c.d"]
)
def test_what_is_no_name_is_refused_with_examples(text):
    with pytest.raises(ParameterError, match=r"body\.torso\.mass"):
        ParameterName.parse(text)
