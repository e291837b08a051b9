"""The cheapest proof that the whole learning loop is right.

With an identity decoder of complex images and the MSE, Parseval's theorem says
that the error is the energy of the samples that were not acquired. The best
mask is then the top-k of the mean power spectrum, and a learned mask must
converge to it.
"""

import keras
import numpy as np
import pytest
import tensorflow_datasets as tfds

import loupe_tf.datasets
from loupe_tf import fourier, masks
from loupe_tf.layers.estimators import ESTIMATORS
from loupe_tf.models import AdjointNetwork, loupe_model

STEPS = 3000
BATCH_SIZE = 16
# Low enough that entries on both sides of the threshold see a gradient.
SLOPES = {
    **{name: each.slope for name, each in ESTIMATORS.items()},
    "relaxed": 12.0,
    "gumbel_topk": 1.5,
}


@pytest.fixture(scope="module")
def brains(tmp_path_factory):
    builder = tfds.builder(
        "mni_brain/64", data_dir=tmp_path_factory.mktemp("d")
    )
    builder.download_and_prepare()
    images, _ = loupe_tf.datasets.load_arrays(builder, "train")
    return np.concatenate([images, np.zeros_like(images)], axis=-1)


@pytest.mark.slow
@pytest.mark.parametrize("acceleration", [4, 8])
@pytest.mark.parametrize("estimator", SLOPES)
def test_learned_mask_is_the_top_of_the_spectrum(
    brains, estimator, acceleration
):
    kspace = keras.ops.convert_to_numpy(fourier.fft2c(brains))
    power = np.mean(np.sum(kspace**2, axis=-1), axis=0)
    best = masks.spectrum(brains, acceleration).array

    model = loupe_model(
        brains.shape[1:],
        acceleration,
        calibration=None,
        estimator=estimator,
        slope=SLOPES[estimator],
        reconstruction="complex",
        reconstructor="zero_filled",
        seed=0,
    )
    rate = keras.optimizers.schedules.CosineDecay(0.01, STEPS)
    model.compile(keras.optimizers.Adam(rate), loss="mse")
    epochs = STEPS // (len(brains) // BATCH_SIZE)
    model.fit(brains, brains, BATCH_SIZE, epochs, verbose=0)

    learned = masks.from_model(model).array
    shared = (learned & best).sum() / best.sum()
    residual = power[~learned].sum() / power[~best].sum()
    print(f"{estimator}, R = {acceleration}: {shared:.4f}, {residual:.4f}")
    assert learned.sum() == best.sum()
    assert shared >= 0.95
    assert residual <= 1.02


SIZE = (16, 18)
FEW_STEPS = 1024
RATE = 0.05
SHAPES = {
    "half-plane": {"half_plane": True},
    "half of the columns": {"half_plane": True, "lines": "columns"},
    "groups": {"groups": 2},
    "nested": {"acceleration": (3, 6)},
    "volume": {"depth": 3},
    "both": {"lines": "both"},
}


def _amplitude(rng, depth, groups, is_separable):
    """Amplitudes in k-space that fall from DC on, no two of them near."""
    k = [np.arange(n) - n // 2 for n in SIZE]
    shape = (groups, depth, *SIZE)
    if is_separable:
        rows, columns = ((1 + abs(n + 0.3)) ** -1.0 for n in k)
        return np.broadcast_to(rows[:, None] * columns, shape)
    fall = (1 + np.hypot(k[0][:, None], k[1])) ** -1.0
    amplitude = fall * np.exp(rng.normal(size=shape))
    return amplitude * (1 + np.arange(groups)[:, None, None, None])


def _images(rng, amplitude):
    """Real images of exactly this power, that differ in their phases."""
    axes = (-3, -2, -1)
    noise = np.fft.fftn(
        rng.normal(size=(2048, *amplitude.shape[1:])), axes=axes
    )
    phase = noise / abs(noise)
    number = np.arange(len(phase)) % len(amplitude)
    shifted = np.fft.ifftshift(amplitude, axes=axes)
    x = np.fft.ifftn(phase * shifted[number], axes=axes, norm="ortho").real
    return x.astype("float32"), number.astype("int32")


def _power(x):
    """Mean power in the plane of the last two axes, DC in the centre."""
    power = abs(np.fft.fft2(x, norm="ortho")) ** 2
    return np.fft.fftshift(power.mean(axis=0).sum(axis=0))


@pytest.mark.slow
@pytest.mark.parametrize("estimator", SLOPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_learned_mask_of_any_shape_is_the_top_of_the_spectrum(shape, estimator):
    options = {"acceleration": 4, **SHAPES[shape]}
    depth = options.pop("depth", 1)
    rng = np.random.default_rng(0)
    amplitude = _amplitude(
        rng, depth, options.get("groups", 1), shape == "both"
    )
    x, number = _images(rng, amplitude)
    powers = [_power(x[number == group]) for group in np.unique(number)]
    size = (*SIZE, 1) if depth == 1 else (depth, *SIZE, 1)
    x = x.reshape(-1, *size)
    best, inputs = _best(shape, options, powers), x
    if shape in ("groups", "nested"):
        number = np.arange(len(x), dtype="int32") % 2
        inputs = [x, number]

    model = loupe_model(
        size,
        calibration=None,
        estimator=estimator,
        slope=SLOPES[estimator],
        # Parseval is about complex images, before their magnitude is taken.
        reconstructor=AdjointNetwork(
            reconstruction="complex",
            half_plane=options.get("half_plane", False),
            name="adjoint",
        ),
        seed=0,
        **options,
    )
    model = keras.Model(model.inputs, model.get_layer("adjoint").output)
    rate = keras.optimizers.schedules.CosineDecay(RATE, FEW_STEPS)
    model.compile(keras.optimizers.Adam(rate), loss="mse")
    target = np.concatenate([x, np.zeros_like(x)], axis=-1)
    epochs = FEW_STEPS // (len(x) // BATCH_SIZE)
    model.fit(inputs, target, BATCH_SIZE, epochs, verbose=0)

    learned = masks.from_model(model)
    learned = learned if isinstance(learned, tuple) else (learned,)
    shared = sum((m.array & b).sum() for m, b in zip(learned, best))
    shared /= sum(b.sum() for b in best)
    powers = powers * (len(best) // len(powers))
    kept = sum(np.sum(m.array * p) for m, p in zip(learned, powers))
    most = sum(np.sum(b * p) for b, p in zip(best, powers))
    print(f"{shape}, {estimator}: {shared:.4f}, {kept / most:.5f}")
    assert sum(m.acquired for m in learned) == sum(b.sum() for b in best)
    # Of rows and columns few are taken, and k and -k have the same power.
    assert shared >= 0.95 or shape == "both"
    assert kept / most >= 0.998


def _best(shape, options, powers):
    """The masks that keep most of the power."""
    acceleration = options["acceleration"]
    if shape == "nested":
        return [masks.binarize(powers[0], R) for R in acceleration]
    if shape == "groups":
        joint = masks.binarize(np.concatenate(powers), acceleration)
        return np.split(joint, len(powers))
    if shape == "both":  # The power is an outer product.
        rows, columns = (
            masks.binarize(powers[0].sum(axis=axis, keepdims=True), 2)
            for axis in (1, 0)
        )
        return [rows & columns]
    power = powers[0]
    if options.get("lines") == "columns":
        powers[0] = power = power.sum(axis=0, keepdims=True)
    half = options.get("half_plane", False)
    if half:  # An entry brings its mirror, but for those that are their own.
        index = np.arange(power.size).reshape(power.shape)
        twice = index != masks.mirrored(index)
        powers[0] = power = np.where(twice, 2 * power, power)
    return [masks.binarize(power, acceleration, half_plane=half)]
