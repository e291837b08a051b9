import numpy as np
from gaussian_case import Case
from keras import ops

from loupe_tf.operators import Cartesian
from loupe_tf.posterior import TemperedPosterior
from loupe_tf.posterior.flow import flow


def test_the_flow_takes_a_gaussian_from_level_to_level(rng):
    """Of images that are not measured: their spectrum becomes P + s²."""
    case = Case((8, 9), batch=1, sigma=1)
    nothing = Cartesian(np.zeros((1, 8, 9, 1), "float32"))
    target = TemperedPosterior(case.score, nothing, case.kspace, 1)
    x = rng.normal(size=(3, 8, 9, 2)).astype("float32")
    levels = np.geomspace(0.3, 0.1, 9).astype("float32")
    found = x
    for pair in zip(levels[:-1], levels[1:]):
        found = flow(target, found, *map(ops.convert_to_tensor, pair))
    factor = np.sqrt((case.power + 0.1**2) / (case.power + 0.3**2))
    expected = factor * case.spectrum_of(x)
    found = case.spectrum_of(ops.convert_to_numpy(found))
    np.testing.assert_allclose(found, expected, atol=0.01)
