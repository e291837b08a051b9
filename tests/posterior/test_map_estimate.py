import numpy as np
from gaussian_case import Case

from loupe_tf import posterior


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
