import numpy as np
import pytest
from keras import ops

from loupe_tf.operators import Cartesian
from loupe_tf.posterior import PosteriorSamples, check_detail
from loupe_tf.posterior.detail import remove

REGION = np.zeros((16, 17), bool)
REGION[5:8, 9:12] = True


def images(rng, contrast, spread, count=20):
    """Samples of a detail on a slope."""
    image = np.full((count, 1, 16, 17, 2), 1.0)
    image[..., 1] = np.linspace(0, 0.5, 17)
    draws = contrast + spread * rng.normal(size=(count, 1, 1))
    image[:, 0, REGION, 0] += draws[..., 0]
    return image


def test_a_detail_of_all_samples_is_sure_and_one_of_half_is_not(rng):
    sure = check_detail(images(rng, 0.5, 0.02), REGION)
    assert sure.probability > 0.999
    assert 0.3 < sure.interval[0] < sure.interval[1] < 0.6
    assert sure.contrast.shape == (20,)
    unsure = check_detail(images(rng, 0.0, 0.2), REGION)
    assert unsure.probability < 0.9
    assert unsure.interval[0] < 0 < unsure.interval[1]


def test_the_measurement_speaks_for_what_it_saw(rng):
    draws = images(rng, 0.5, 0.02).astype("float32")
    truth = draws.mean(0)
    scan = Cartesian()
    y = ops.convert_to_numpy(scan.forward(truth))
    samples = PosteriorSamples(draws, 0.1, "given")
    found = check_detail(samples, REGION, scan=scan, measurement=y)
    np.testing.assert_allclose(found.measured_share, 1, rtol=1e-4)
    removed = np.sum((truth - remove(truth, REGION)) ** 2)
    np.testing.assert_allclose(found.evidence, removed / 0.02, rtol=1e-3)
    # The samples have a detail, and the scan has not.
    y = ops.convert_to_numpy(scan.forward(remove(truth, REGION)))
    found = check_detail(samples, REGION, scan=scan, measurement=y)
    assert found.evidence < -10


def test_what_is_not_measured_has_no_evidence(rng):
    draws = images(rng, 0.5, 0.02).astype("float32")
    mask = np.zeros((1, 16, 17, 1), "float32")
    mask[:, 8, 8] = 1  # The mean alone.
    found = check_detail(
        draws,
        REGION,
        scan=Cartesian(mask),
        measurement=np.zeros((1, 1, 16, 17, 2)),
        sigma=0.1,
    )
    assert found.measured_share < 0.1


def test_removal_continues_a_slope():
    slope = np.linspace(0, 1, 17) * np.ones((1, 16, 1))
    image = slope[..., None].copy()
    image[:, REGION] += 3
    found = remove(image, REGION)
    np.testing.assert_allclose(found[..., 0], slope, atol=1e-6)


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"region": np.zeros((16, 17), bool)}, "`region`.*not empty"),
        ({"region": np.ones((16, 17), bool)}, "`region`.*around"),
        ({"samples": np.zeros((5, 2, 16, 17, 2))}, "`samples`.*one image"),
        ({"width": 0}, "`width`"),
        ({"scan": Cartesian()}, "`scan`.*`measurement`"),
    ],
)
def test_arguments_are_checked(rng, wrong, message):
    given = {"samples": images(rng, 1, 0.1), "region": REGION}
    with pytest.raises(ValueError, match=message):
        check_detail(**{**given, **wrong})
