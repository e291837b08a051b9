import numpy as np
import pytest
from gaussian_case import Case

from loupe_tf.posterior import estimate_noise


def test_noise_is_found_beside_signal():
    case = Case((31, 32), batch=2, sigma=0.2, acceleration=2)
    mask = case.mask[None, ..., None]
    found = estimate_noise(case.kspace, mask)
    np.testing.assert_allclose(found, 0.2, rtol=0.1)
    assert found == estimate_noise(case.kspace)


def test_few_samples_are_refused(rng):
    kspace = rng.normal(size=(1, 1, 16, 16, 2))
    mask = np.zeros((1, 1, 16, 1))
    mask[..., 5:11, :] = 1
    with pytest.raises(ValueError, match="corners of k-space"):
        estimate_noise(kspace, mask)
    with pytest.raises(ValueError, match="`kspace`.*shape"):
        estimate_noise(kspace[0, 0])


def test_all_of_a_noise_scan_counts(rng):
    """Also that of a trajectory, which has no corners."""
    spokes = rng.normal(scale=0.3, size=(1, 4, 20, 40, 2))
    found = estimate_noise(spokes, corners=False)
    np.testing.assert_allclose(found, 0.3, rtol=0.05)
    with pytest.raises(ValueError, match="`kspace`.*noise scan of 32"):
        estimate_noise(spokes[:, :1, :2, :2], corners=False)
