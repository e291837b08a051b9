import numpy as np
import pytest

from loupe_tf.datasets import Augment
from loupe_tf.datasets.feeding.augment import rotate
from loupe_tf.numpy_fourier import fft2c


@pytest.fixture
def image(rng):
    return rng.uniform(size=(16, 19, 1)).astype("float32")


def test_nothing_is_changed_by_default(image, rng):
    inputs, targets = Augment()(image, rng)
    np.testing.assert_array_equal(inputs, image)
    np.testing.assert_array_equal(targets, image)
    assert inputs.dtype == targets.dtype == np.float32


@pytest.mark.parametrize(
    "flip, axes",
    [("horizontal", [1]), ("vertical", [0]), ("horizontal_and_vertical", "01")],
)
def test_flips_happen_half_of_the_time(image, flip, axes):
    augment = Augment(flip)
    axes = [int(axis) for axis in axes]
    possible = {}
    for flips in np.ndindex(*[2] * len(axes)):
        flipped = image
        for axis, yes in zip(axes, flips):
            flipped = np.flip(flipped, axis) if yes else flipped
        # A flip is its own inverse.
        again = flipped
        for axis, yes in zip(axes, flips):
            again = np.flip(again, axis) if yes else again
        np.testing.assert_array_equal(again, image)
        possible[flipped.tobytes()] = 0
    for seed in range(200):
        inputs, targets = augment(image, np.random.default_rng(seed))
        np.testing.assert_array_equal(inputs, targets)
        possible[inputs.tobytes()] += 1  # a `KeyError` for any other image
    expected = 200 / len(possible)
    assert all(abs(n - expected) < 4 * expected**0.5 for n in possible.values())


@pytest.mark.parametrize("shape", [(17, 17, 1), (17, 17, 2)])
@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_rotation_by_quarters_is_exact(rng, shape, quarters):
    image = rng.uniform(size=shape).astype("float32")
    rotated = rotate(image, 90 * quarters)
    assert rotated.dtype == np.float32
    np.testing.assert_allclose(rotated, np.rot90(image, quarters), atol=1e-5)
    if quarters == 0:
        np.testing.assert_array_equal(rotated, image)


@pytest.mark.parametrize("shape", [(64, 64, 1), (65, 60, 1)])
def test_rotation_of_a_smooth_image(shape):
    height, width, _ = shape

    def blob(angle):
        # 12 pixels to the right of the centre, turned counter-clockwise.
        y, x = np.indices(shape[:2], "float32")
        cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
        y = y - height // 2 + 12 * sin
        x = x - width // 2 - 12 * cos
        return np.exp(-(x**2 + y**2) / 50)[..., None]

    rotated = rotate(blob(0), 25)
    assert np.abs(rotated - blob(25)).max() < 0.02
    assert np.abs(rotated - blob(-25)).max() > 0.5


def test_rotation_brings_zeros_from_outside():
    rotated = rotate(np.ones((16, 16, 1), "float32"), 45)
    corners = rotated[[0, 0, -1, -1], [0, -1, 0, -1]]
    np.testing.assert_array_equal(corners, 0)
    np.testing.assert_allclose(rotated[5:12, 5:12], 1, atol=1e-6)


def test_rotation_stays_within_its_limit(image):
    angles = set()

    class Record:
        def uniform(self, low, high):
            angles.add((low, high))
            return high

        def random(self):
            return 1.0

    inputs, targets = Augment(rotation=10)(image, Record())
    assert angles == {(-10, 10)}
    np.testing.assert_array_equal(inputs, rotate(image, 10))
    np.testing.assert_array_equal(targets, inputs)


def test_intensity_is_the_same_in_input_and_target(image):
    augment = Augment(intensity=0.25)
    factors = []
    for seed in range(100):
        inputs, targets = augment(image, np.random.default_rng(seed))
        np.testing.assert_array_equal(inputs, targets)
        ratio = inputs / image
        np.testing.assert_allclose(ratio, ratio.mean(), rtol=1e-5)
        factors.append(ratio[0, 0, 0])
    assert 0.75 <= min(factors) < 0.8 and 1.2 < max(factors) <= 1.25


@pytest.mark.parametrize("sigma", [0.05, 0.5])
def test_noise_has_its_sigma_in_kspace_and_in_the_image(rng, sigma):
    image = rng.normal(size=(64, 61, 2)).astype("float32")
    inputs, targets = Augment(noise=sigma)(image, rng)
    np.testing.assert_array_equal(targets, image)
    noise = (inputs - image)[..., 0] + 1j * (inputs - image)[..., 1]
    kspace = fft2c(noise)
    # Parseval.
    power = np.sum(np.abs(kspace) ** 2)
    assert power == pytest.approx(np.sum(np.abs(noise) ** 2), rel=1e-5)
    for part in (noise.real, noise.imag, kspace.real, kspace.imag):
        assert part.std() == pytest.approx(sigma, rel=0.05)
        assert abs(part.mean()) < 4 * sigma / part.size**0.5
    # White: as much at high frequencies as at low ones, and nothing in common
    # between neighbours, nor between the two parts.
    assert kspace[:8].std() == pytest.approx(kspace[28:36].std(), rel=0.15)
    for a, b in ((kspace[1:], kspace[:-1]), (kspace.real, kspace.imag)):
        assert abs(np.mean(a * np.conj(b))) < 5 * sigma**2 / 60


def test_noise_of_a_magnitude_image_is_rician(rng):
    image = np.zeros((64, 64, 1), "float32")
    image[:, 32:] = 10
    inputs, _ = Augment(noise=0.1)(image, rng)
    assert inputs.shape == image.shape and inputs.min() >= 0
    # Rayleigh where there is no signal, Gaussian where there is much.
    empty, signal = inputs[:, :32], inputs[:, 32:]
    assert empty.mean() == pytest.approx(0.1 * (np.pi / 2) ** 0.5, rel=0.05)
    assert signal.std() == pytest.approx(0.1, rel=0.05)
    assert signal.mean() == pytest.approx(10 + 0.01 / 20, abs=0.01)


@pytest.mark.parametrize("channels", [1, 2])
def test_snr_is_a_ratio_of_powers(rng, channels):
    image = 7 + rng.normal(size=(64, 64, channels)).astype("float32")
    inputs, _ = Augment(snr=20)(image, rng)
    power = np.sum(image**2) / 64**2
    # What noise leaves of a magnitude is its part along the signal: half.
    noise = np.sum((inputs - image) ** 2) / 64**2 * (2 / channels)
    assert 10 * np.log10(power / noise) == pytest.approx(20, abs=0.4)


def test_noise_in_both(image, rng):
    inputs, targets = Augment(noise=0.1, noise_in="both")(image, rng)
    np.testing.assert_array_equal(inputs, targets)
    assert np.abs(inputs - image).max() > 0.05


def test_each_image_draws_its_sigma(rng):
    image = np.zeros((32, 32, 2), "float32")
    augment = Augment(noise=(0.1, 0.3))
    stddevs = [augment(image, rng)[0].std() for _ in range(40)]
    assert 0.09 < min(stddevs) < 0.13 and 0.27 < max(stddevs) < 0.32


def test_what_is_drawn_depends_on_the_generator_alone(image):
    augment = Augment("horizontal", rotation=5, intensity=0.1, noise=0.1)
    first, same, other = (
        augment(image, np.random.default_rng(seed))[0] for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, same)
    assert np.abs(first - other).max() > 0.01


@pytest.mark.parametrize(
    "kwargs, match",
    [
        ({"flip": "diagonal"}, "`flip`.*'diagonal'"),
        ({"rotation": -1}, "`rotation`"),
        ({"rotation": 200}, "`rotation`.*200"),
        ({"intensity": 1}, "`intensity`"),
        ({"noise": -0.1}, "`noise`"),
        ({"noise": (0.2, 0.1)}, "`noise`.*lowest"),
        ({"noise": (0.1, 0.2, 0.3)}, "`noise`.*pair"),
        ({"noise": float("nan")}, "`noise`.*finite"),
        ({"noise": 0.1, "snr": 20}, "`snr`.*with"),
        ({"noise_in": "target"}, "`noise_in`.*'target'"),
    ],
)
def test_invalid_arguments(kwargs, match):
    with pytest.raises(ValueError, match=match):
        Augment(**kwargs)
