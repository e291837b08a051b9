import numpy as np
from gaussian_case import Case

from loupe_tf import posterior
from loupe_tf.posterior.map_estimate import Ascent


def test_the_most_probable_gaussian_image_is_its_mean():
    case = Case((8, 9), batch=2, sigma=0.1)
    found = posterior.map_estimate(
        case.score,
        case.scan,
        case.kspace,
        sigma=0.1,
        levels=posterior.noise_levels(0.5, 0.02, count=8),
    )
    error = np.abs(case.spectrum_of(found) - case.mean)
    assert error.max() < 0.02 * np.abs(case.mean).max()


class Bowl:
    """The posterior of one standard normal number."""

    def gradient(self, x, s):
        return -x

    def steepness(self, s):
        return 4.0


def test_velocity_carries_on():
    ascent = Ascent(momentum=0.5)
    x = np.float32([8.0])
    x, state = ascent.move(Bowl(), x, 0.1, (np.float32([0.0]),), None)
    np.testing.assert_allclose(x, [6.0])
    x, _ = ascent.move(Bowl(), x, 0.1, state, None)
    # Half of the first velocity, -2, and a quarter of the gradient.
    np.testing.assert_allclose(x, [6.0 - 1.0 - 1.5])
