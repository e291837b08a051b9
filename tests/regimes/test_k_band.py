import keras
import numpy as np
import pytest
from keras import ops

from loupe_tf import masks, models, simulation
from loupe_tf.numpy_fourier import fft2c
from loupe_tf.regimes import KBand
from loupe_tf.samplers import GivenMask, LearnedMask, RowsAndColumns, WithinBand

SIZE = (16, 18)
BANDS = masks.bands(SIZE, 3, 12, calibration=4)
BAND_INPUT = BANDS[..., None].astype("float32")
WEIGHTS = masks.band_weights(BANDS)
# In every band, so that what the network gets is the same for all of them.
CENTRE = BANDS.all(axis=0)


def network():
    inner = models.cnn(
        (*SIZE, 2),
        output_channels=2,
        depth=2,
        filters=3,
        normalization=None,
    )
    rng = np.random.default_rng(1)
    inner.set_weights(
        [rng.normal(size=w.shape) / 9 for w in inner.get_weights()]
    )
    return models.AdjointNetwork(inner, "complex")


def numpy_of(x):
    return ops.convert_to_numpy(x)


@pytest.fixture
def scan(images):
    """K-space of two coils, maps and image of one example."""
    maps = simulation.birdcage_maps(SIZE, 2)
    return simulation.simulate_kspace(images[:1], maps, seed=0)


@pytest.mark.parametrize("norm", ["squared", "absolute"])
def test_gradient_averaged_over_angles_is_that_of_all_of_kspace(
    scan, gradient, norm
):
    kspace, maps, _ = scan
    model, sampler = network(), GivenMask(CENTRE)
    in_bands = KBand(model, WEIGHTS, sampler, norm)
    full = KBand(model, np.ones(SIZE), sampler, norm)
    unweighted = KBand(model, np.ones(SIZE), sampler, norm)

    def loss(regime, band):
        def function(maps):
            many = (len(band), *[1] * 4)
            measured = [np.tile(kspace, many) * band[:, None], band]
            maps = ops.tile(maps, many)
            return ops.mean(regime.learn([*measured, maps], False)["loss"])

        return function

    everything = np.ones((1, *SIZE, 1), "float32")
    expected = gradient(loss(full, everything), maps)
    found = gradient(loss(in_bands, BAND_INPUT), maps)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found / scale, expected / scale, atol=1e-5)
    values = [
        float(function(ops.convert_to_tensor(maps)))
        for function in (loss(full, everything), loss(in_bands, BAND_INPUT))
    ]
    np.testing.assert_allclose(*values, rtol=1e-5)
    # Without W, the outer k-space counts less.
    other = gradient(loss(unweighted, BAND_INPUT), maps) / scale
    assert np.abs(other - expected / scale).max() > 0.05


def test_one_band_of_everything_is_the_supervised_loss(images):
    kspace = fft2c(images[..., 0])
    kspace = np.stack([kspace.real, kspace.imag], -1)[:, None]
    everything = np.ones((len(images), *SIZE, 1), "float32")
    regime = KBand(
        network(),
        masks.band_weights(masks.bands(SIZE, 1, 5)),
        GivenMask(masks.gaussian(SIZE, 2)),
        norm="squared",
    )
    found = regime.learn([kspace.astype("float32"), everything], False)
    error = numpy_of(found["image"]) - np.concatenate([images, 0 * images], -1)
    np.testing.assert_allclose(
        numpy_of(found["loss"]),
        (error**2).sum(axis=-1).mean(axis=(1, 2)),
        rtol=1e-4,
    )


def test_network_sees_the_mask_inside_the_band(scan):
    kspace, maps, _ = scan
    mask = masks.gaussian(SIZE, 2, calibration=4)
    regime = KBand(network(), WEIGHTS, GivenMask(mask))
    band = BAND_INPUT[4:5]
    first = regime.learn([kspace * band[:, None], band, maps], True)
    unseen = (BANDS[4] & ~mask.array)[None, None, ..., None]
    other = np.where(unseen, 9.0, kspace * band[:, None]).astype("float32")
    second = regime.learn([other, band, maps], True)
    for key, same in ("image", True), ("loss", False):
        a, b = (numpy_of(found[key]) for found in (first, second))
        assert np.array_equal(a, b) == same
    # What is outside the band was not acquired, whatever it holds.
    regime.compile()
    values = [
        regime.evaluate([x.astype("float32"), band, maps], verbose=0)
        for x in (kspace, np.where(band[:, None] > 0, kspace, 9.0))
    ]
    assert values[0] == values[1]


@pytest.mark.graph
def test_learns_a_mask_and_is_saved(images, tmp_path):
    kspace = fft2c(np.tile(images, (2, 1, 1, 1))[:12, ..., 0])
    kspace = np.stack([kspace.real, kspace.imag], -1)[:, None] + 0.0
    kspace = (kspace * BAND_INPUT[:, None]).astype("float32")
    sampler = WithinBand(3, calibration=4, seed=0)
    regime = KBand(network(), WEIGHTS, sampler, seed=0)
    regime.compile(keras.optimizers.Adam(0.01))
    before = masks.from_model(regime.sampling)
    logits = regime.sampling.get_layer("prob_mask").logits
    first = numpy_of(logits)
    history = regime.fit(
        [kspace, BAND_INPUT], epochs=4, batch_size=4, verbose=0
    )
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert not np.array_equal(first, numpy_of(logits))
    after = masks.from_model(regime.sampling)
    assert before.acquired == after.acquired == 16 * 18 // 3
    assert after.matrix == SIZE

    regime.save(tmp_path / "regime.keras")
    loaded = keras.models.load_model(tmp_path / "regime.keras")
    assert masks.from_model(loaded.sampling).array.tolist() == (
        after.array.tolist()
    )
    measured = [kspace, BAND_INPUT]
    for each in (regime, loaded):
        found = each.evaluate(measured, verbose=0, return_dict=True)
        np.testing.assert_allclose(
            found["loss"],
            numpy_of(each.learn(measured, False)["loss"]).mean(),
            rtol=1e-4,
        )
    np.testing.assert_allclose(
        loaded.predict(measured, verbose=0),
        numpy_of(regime.reconstructor(measured)),
        atol=1e-5,
    )


@pytest.mark.parametrize("sampler", [None, LearnedMask(3, seed=0)])
def test_other_samplers_are_restricted_to_the_band(scan, sampler):
    kspace, maps, _ = scan
    regime = KBand(network(), WEIGHTS, sampler)
    band = BAND_INPUT[2:3]
    loss = regime.learn([kspace * band[:, None], band, maps], True)["loss"]
    assert loss.shape == (1,) and np.isfinite(numpy_of(loss)).all()


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ({"weights": np.full(SIZE, -1.0)}, "`weights`"),
        ({"weights": np.full(SIZE, np.nan)}, "`weights`"),
        ({"weights": np.ones(16)}, "`weights`"),
        ({"sampler": np.ones(SIZE)}, "`sampler`"),
        ({"sampler": LearnedMask((2, 4))}, "`sampler`.*acceleration_index"),
        ({"norm": "ssim"}, "`norm`"),
    ],
)
def test_refuses_invalid_arguments(arguments, expected):
    with pytest.raises(ValueError, match=expected):
        KBand(network(), **{"weights": WEIGHTS, **arguments})


def test_takes_rows_and_columns():
    regime = KBand(network(), WEIGHTS, RowsAndColumns((2, 1.5), seed=0))
    assert masks.from_model(regime.sampling).array.any()
