import keras
import numpy as np
import pytest

from loupe_tf import fourier, masks
from loupe_tf.layers.estimators import ESTIMATORS
from loupe_tf.models import (
    AdjointNetwork,
    Loupe,
    loupe_model,
    unet,
    with_binarization,
)
from loupe_tf.reconstruction import Network
from loupe_tf.samplers import GivenTrajectory, LearnedMask
from loupe_tf.trajectories import radial

SMALL = {
    "filters": 2,
    "depth": 1,
    "output_initializer": "glorot_uniform",
    "seed": 0,
}


def _compile(model, **arguments):
    model.compile(keras.optimizers.Adam(1e-2), loss="mse", **arguments)
    return model


def _mask(model, x, training=False):
    sub = keras.Model(model.input, model.get_layer("sampled_mask").output)
    return keras.ops.convert_to_numpy(sub(x, training=training))


def _weights(model):
    return [np.array(w) for w in model.get_weights()]


def test_names_are_those_of_the_original():
    names = [
        layer.name for layer in loupe_model((16, 18, 1), 4, **SMALL).layers
    ]
    for name in (
        "prob_mask",
        "prob_mask_scaled",
        "sampled_mask",
        "under_sample_kspace",
        "unet_output",
    ):
        assert name in names


def test_masks_and_noise_have_their_own_seeds():
    model = loupe_model((16, 18, 1), 4, lines="both", snr=20, **SMALL)
    seeds = [x.seed for x in model.layers if hasattr(x, "seed")]
    assert len(seeds) == 5 == len(set(seeds))


@pytest.mark.parametrize(
    "arguments",
    [
        {"lines": "columns", "calibration": 3},
        {"lines": "rows", "estimator": "gumbel_topk"},
        {"calibration": (4, 3), "reconstruction": "complex"},
        {"data_consistency": True},
    ],
)
def test_training_moves_mask_and_network(images, arguments):
    model = _compile(loupe_model((16, 18, 1), 4, **SMALL, **arguments))
    before = _weights(model)
    history = model.fit(images, images, batch_size=4, epochs=1, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    moved = [np.abs(a - b).max() > 0 for a, b in zip(before, _weights(model))]
    names = [w.path for w in model.weights]
    assert moved[[n.endswith("logits") for n in names].index(True)]
    assert moved[[n.endswith("kernel") for n in names].index(True)]
    mask = _mask(model, images)
    lines = {"columns": 18, "rows": 16}.get(arguments.get("lines"), 16 * 18)
    assert (mask.sum(axis=(1, 2, 3)) == round(lines / 4)).all()


@pytest.mark.parametrize(
    "estimator, jit_compile",
    [*((name, True) for name in ESTIMATORS), ("relaxed", False)],
)
def test_jit_compile(images, estimator, jit_compile):
    model = loupe_model(
        (16, 18, 1), 4, estimator=estimator, reconstructor="zero_filled", seed=0
    )
    if keras.backend.backend() == "torch" and jit_compile:
        pytest.skip("Keras compiles nothing with torch here")
    _compile(model, jit_compile=jit_compile)
    before = model.evaluate(images, images, verbose=0)
    prob = masks.probability_from_model(model)
    epochs = 30 if jit_compile else 10
    model.fit(images, images, batch_size=4, epochs=epochs, verbose=0)
    assert model.evaluate(images, images, verbose=0) < before
    assert np.abs(masks.probability_from_model(model) - prob).max() > 0
    mask = _mask(model, images)
    assert (mask.sum(axis=(1, 2, 3)) == 16 * 18 / 4).all()


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize(
    "policy",
    [
        pytest.param("mixed_float16", marks=pytest.mark.slow),
        pytest.param("mixed_bfloat16", marks=pytest.mark.graph),
    ],
)
def test_mixed_precision(images, policy):
    old = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy(policy)
        model = _compile(loupe_model((16, 18, 1), 4, **SMALL))
        history = model.fit(images, images, batch_size=4, epochs=1, verbose=0)
    finally:
        keras.config.set_dtype_policy(old)
    assert np.isfinite(history.history["loss"]).all()
    assert model.get_layer("prob_mask").logits.dtype == "float32"
    assert model.output.dtype == "float32"


def test_equation_2(images):
    """x̂ = |F⁻¹ y| + D(F⁻¹ y) with y = M ∘ F x, in NumPy."""
    mask = masks.uniform_random((16, 18), 3)
    decoder = keras.layers.Conv2D(1, 1, kernel_initializer="ones")
    model = loupe_model((16, 18, 1), mask=mask, reconstructor=decoder)
    axes = (1, 2)
    kspace = np.fft.fftshift(np.fft.fft2(images[..., 0], axes=axes), axes=axes)
    adjoint = np.fft.ifft2(
        np.fft.ifftshift(np.where(mask.array, kspace, 0), axes=axes), axes=axes
    )
    expected = np.abs(adjoint) + adjoint.real + adjoint.imag
    got = model.predict(images, verbose=0)[..., 0]
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_complex_residual(images):
    mask = masks.uniform_random((16, 18), 3)
    x = np.concatenate([images, images[::-1]], axis=-1)
    model = loupe_model(
        (16, 18, 2), mask=mask, reconstruction="complex", **SMALL
    )
    adjoint = keras.ops.convert_to_numpy(
        fourier.ifft2c(
            np.float32(mask.array)[..., None]
            * keras.ops.convert_to_numpy(fourier.fft2c(x))
        )
    )
    network = model.reconstructor.network
    expected = adjoint + keras.ops.convert_to_numpy(network(adjoint))
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, atol=1e-4)


@pytest.mark.parametrize("magnitude", [None, True, False])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("curves", [False, True])
def test_the_magnitude_of_a_complex_reconstruction(curves, channels, magnitude):
    """The default is that of the input. The saved model has the choice."""
    arguments = {"acceleration": 4}
    if curves:
        arguments = {
            "sampler": GivenTrajectory(
                radial(3, 12, matrix=(16, 18), field_of_view=(160, 180))
            )
        }
    model = loupe_model(
        (16, 18, channels),
        **arguments,
        reconstruction="complex",
        magnitude=magnitude,
        **SMALL,
    )
    expected = 1 if magnitude or magnitude is None and channels == 1 else 2
    assert model.output_shape == (None, 16, 18, expected)
    assert model.reconstructor.magnitude == (expected == 1)
    twin = Loupe.from_config(model.get_config())
    assert twin.output_shape == (None, 16, 18, expected)


@pytest.mark.parametrize("channels", [1, 2])
def test_hard_data_consistency(rng, images, channels):
    mask = masks.uniform_random((16, 18), 3)
    x = np.concatenate([images, images[::-1]], axis=-1)[..., :channels]
    model = loupe_model(
        (16, 18, channels),
        mask=mask,
        # The complex image, of which a model of magnitudes takes that.
        reconstructor=AdjointNetwork(
            unet((16, 18, 2), output_channels=2, filters=2, depth=2),
            reconstruction="complex",
            data_consistency=True,
            name="output",
        ),
        seed=0,
    )
    output = keras.Model(model.input, model.get_layer("output").output)
    rebuilt = keras.ops.convert_to_numpy(fourier.fft2c(output(x)))
    true = np.concatenate([x, np.zeros_like(x)], axis=-1)[..., :2]
    if channels == 2:
        true = x
    true = keras.ops.convert_to_numpy(fourier.fft2c(true))
    np.testing.assert_allclose(
        rebuilt[:, mask.array], true[:, mask.array], atol=1e-4
    )


def test_mask_as_an_input(images):
    mask = masks.uniform_random((16, 18), 3)
    given = loupe_model((16, 18, 1), mask=mask, **SMALL)
    model = loupe_model((16, 18, 1), mask_input=True, **SMALL)
    model.reconstructor.set_weights(given.reconstructor.get_weights())
    every = np.tile(np.float32(mask.array)[None, ..., None], (8, 1, 1, 1))
    np.testing.assert_allclose(
        model.predict([images, every], verbose=0),
        given.predict(images, verbose=0),
        atol=1e-5,
    )


def test_penalty_instead_of_rescale(images):
    options = {"sparsity_penalty": 10.0, "reconstructor": "zero_filled"}
    model = _compile(loupe_model((16, 18, 1), **options, seed=0))
    prob = masks.probability_from_model(model, "prob_mask")
    np.testing.assert_allclose(
        float(keras.ops.sum(model.losses)) if model.losses else 0, 0, atol=10
    )
    model(images)
    np.testing.assert_allclose(
        float(sum(model.losses)), 10 * prob.mean(), rtol=1e-4
    )
    model.fit(images, images, epochs=20, verbose=0)
    after = masks.probability_from_model(model, "prob_mask")
    assert after.mean() < prob.mean() - 0.1
    assert _mask(model, images[:1]).sum() == np.round(after.sum())


def test_a_nan_stays_in_its_example(images):
    model = loupe_model((16, 18, 1), 4, normalization=None, **SMALL)
    images[2, 3, 4] = np.nan
    for training in (True, False):
        assert np.isfinite(_mask(model, images, training)).all()
        output = keras.ops.convert_to_numpy(model(images, training=training))
        broken = ~np.isfinite(output).all(axis=(1, 2, 3))
        assert broken.tolist() == [i == 2 for i in range(8)]


@pytest.mark.parametrize("calibration", ["auto", 6])
@pytest.mark.parametrize("lines", [None, "columns", "rows"])
@pytest.mark.parametrize("acceleration", [2, 4, 8, 13.7])
@pytest.mark.parametrize("size", [(31, 33), (64, 64), (320, 320)])
def test_inference_mask_has_exactly_the_budget(
    size, acceleration, lines, calibration
):
    total = {None: size[0] * size[1], "columns": size[1], "rows": size[0]}
    budget = round(total[lines] / acceleration)
    arguments = {
        "lines": lines,
        "calibration": calibration,
        "reconstructor": "zero_filled",
        "seed": 0,
    }
    if lines and calibration == 6 and budget < 6:
        with pytest.raises(ValueError, match="`calibration`"):
            loupe_model((*size, 1), acceleration, **arguments)
        return
    model = loupe_model((*size, 1), acceleration, **arguments)
    mask = masks.from_model(model)
    assert mask.array.sum() == budget
    image = np.ones((1, *size, 1), "float32")
    np.testing.assert_array_equal(_mask(model, image)[0, ..., 0], mask.array)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("estimator", ["relaxed", "gumbel_topk"])
def test_saved_and_loaded_elsewhere_predicts_the_same(
    tmp_path, images, estimator
):
    model = _compile(
        loupe_model((16, 18, 1), 4, estimator=estimator, calibration=3, **SMALL)
    )
    model.fit(images, images, epochs=1, verbose=0)
    model.get_layer("sampled_mask").slope.assign(777.0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        model.predict(images, verbose=0), loaded.predict(images, verbose=0)
    )
    mask, other = masks.from_model(model), masks.from_model(loaded)
    np.testing.assert_array_equal(mask.array, other.array)
    assert mask.slope == other.slope == 777.0
    for sampler in (model, loaded):  # the next realizations too
        sampler.get_layer("sampled_mask")
    np.testing.assert_array_equal(
        _mask(model, images, training=True),
        _mask(loaded, images, training=True),
    )


@pytest.mark.usefixtures("eager")
def test_fixed_mask_is_saved(tmp_path, images):
    mask = masks.gaussian((16, 18), 4)
    model = loupe_model((16, 18, 1), mask=mask, **SMALL)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(masks.from_model(loaded).array, mask.array)
    np.testing.assert_array_equal(
        model.predict(images, verbose=0), loaded.predict(images, verbose=0)
    )


@pytest.mark.usefixtures("eager")
def test_with_binarization(images):
    model = _compile(loupe_model((16, 18, 1), 4, **SMALL))
    model.get_layer("sampled_mask").slope.assign(50.0)
    prob = masks.probability_from_model(model)
    for kind in ("exact", "threshold"):
        twin = with_binarization(model, kind)
        expected = prob > 0.5
        if kind == "exact":
            expected = masks.binarize(prob, 4)
        mask = _mask(twin, images[:1])[0, ..., 0]
        np.testing.assert_array_equal(mask, expected)
        assert np.isfinite(twin.evaluate(images, images, verbose=0))
    relaxed = with_binarization(model, "relaxed")
    assert relaxed.get_layer("prob_mask") is model.get_layer("prob_mask")
    assert float(relaxed.get_layer("sampled_mask").slope) == 50.0
    assert not np.isin(_mask(relaxed, images), (0, 1)).all()
    with pytest.raises(ValueError, match="ThresholdRandomMask"):
        with_binarization(loupe_model((16, 18, 1), mask=expected), "relaxed")


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize(
    "options",
    [{}, {"lines": "both"}, {"groups": 2}, {"half_plane": True}],
    ids=["points", "both", "groups", "half-plane"],
)
def test_with_another_binarization_is_a_loupe(options, images, tmp_path):
    """It is saved and reconstructs as the given one does, with its mask."""
    model = loupe_model((16, 18, 1), 4, **SMALL, **options)
    twin = with_binarization(model, "threshold")
    inputs = [images]
    if "groups" in options:
        inputs.append(np.arange(len(images), dtype="int32") % 2)
    inputs = inputs if len(inputs) > 1 else images
    found = np.stack([m.array for m in _as_tuple(masks.from_model(twin))])
    expected = keras.Model(twin.inputs, twin.mask)(inputs, training=False)
    expected = keras.ops.convert_to_numpy(expected)[: len(found), ..., 0]
    np.testing.assert_array_equal(found, expected)
    assert _as_tuple(masks.from_model(twin))[0].provenance["binarization"] == (
        "threshold"
    )
    twin.save(tmp_path / "twin.keras")
    loaded = keras.models.load_model(tmp_path / "twin.keras")
    assert isinstance(loaded, Loupe)
    np.testing.assert_array_equal(
        loaded.predict(inputs, verbose=0), twin.predict(inputs, verbose=0)
    )
    again = np.stack([m.array for m in _as_tuple(masks.from_model(loaded))])
    np.testing.assert_array_equal(again, found)
    kspace = np.ones((1, 16, 18), "complex64")
    mask = _as_tuple(masks.from_model(loaded))[0]
    image = Network(loaded)(np.where(mask.array, kspace, 0), mask)
    assert np.isfinite(image).all()


def _as_tuple(found):
    return found if isinstance(found, tuple) else (found,)


@pytest.mark.parametrize(
    "arguments, match",
    [
        ({"acceleration": 1}, "`acceleration`.*above 1.*=1"),
        ({"acceleration": None}, "`acceleration`.*None"),
        ({"acceleration": float("nan")}, "`acceleration`.*nan"),
        ({"acceleration": 4, "calibration": 10}, "`calibration`.*72 of 288"),
        ({"acceleration": 4, "lines": "all"}, "`lines`.*'all'"),
        ({"acceleration": 4, "estimator": "x"}, "`estimator`.*'x'"),
        ({"acceleration": 4, "reconstruction": "x"}, "`reconstruction`.*'x'"),
        (
            {"acceleration": 4, "mask": np.ones((16, 18))},
            "`acceleration`.*None with a mask",
        ),
        ({"mask": np.ones((16, 18)), "calibration": 4}, "`calibration`.*given"),
        ({"acceleration": 4, "calibration": "x"}, "`calibration`.*'auto'.*'x'"),
        ({"acceleration": 4, "calibration": -1}, "`calibration`.*-1"),
        ({"acceleration": 999}, "`acceleration`.*288 entries.*999"),
        ({"mask_input": True, "lines": "rows"}, "`lines`.*given.*'rows'"),
        ({"acceleration": 4, "sparsity_penalty": 1.0}, "`acceleration`.*None"),
        ({"mask": np.ones((4, 4))}, r"`mask`.*\(16, 18\).*\(4, 4\)"),
        (
            {
                "acceleration": 4,
                "input_shape": (16, 18, 2),
                "data_consistency": True,
            },
            "`data_consistency`.*phase",
        ),
        ({"input_shape": (16, 18, 3)}, r"`input_shape`.*\(16, 18, 3\)"),
    ],
)
def test_invalid_arguments(arguments, match):
    with pytest.raises(ValueError, match=match):
        loupe_model(**{"input_shape": (16, 18, 1), **arguments})


def test_a_sampler_in_place_of_keywords(images):
    """It is the model's own, and nothing is beside it."""
    sampler = LearnedMask(4, lines="columns", seed=0)
    model = loupe_model((16, 18, 1), sampler=sampler, **SMALL)
    assert model.sampler is sampler
    expected = loupe_model((16, 18, 1), 4, lines="columns", **SMALL)
    np.testing.assert_array_equal(
        masks.from_model(model).array, masks.from_model(expected).array
    )
    beside = (
        {"acceleration": 4},
        {"mask": np.ones((16, 18))},
        {"mask_input": True},
        {"lines": "both"},
        {"calibration": 3},
        {"estimator": "concrete"},
        {"prob_slope": 4.0},
    )
    for arguments in beside:
        with pytest.raises(ValueError, match=f"`{list(arguments)[0]}`.*with"):
            loupe_model((16, 18, 1), sampler=sampler, **arguments, **SMALL)
    with pytest.raises(ValueError, match="`sampler`.*'columns'"):
        loupe_model((16, 18, 1), sampler="columns", **SMALL)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"accel": 4}, "`accel`.*`acceleration` is one. Received: accel=4"),
        ({"acceleration": 4, "filter": 8}, "`filter`.*`filters` is one"),
        ({"acceleration": 4, "xyzzy": 8}, "network. Received: xyzzy=8"),
        (
            {"acceleration": 4, "filters": 2, "reconstructor": "zero_filled"},
            "`filters`.*beside a `reconstructor`.*Received: filters=2",
        ),
    ],
)
def test_keywords_that_nothing_takes(arguments, match):
    with pytest.raises(ValueError, match=match):
        loupe_model((16, 18, 1), **arguments)


def test_a_network_on_magnitudes_is_refused():
    network = unet((16, 18, 1), depth=1, filters=2)
    with pytest.raises(ValueError, match=r"`reconstructor`.*\(None, 16, 18, 1"):
        loupe_model((16, 18, 1), 4, reconstructor=network)


def test_complex_arrays_are_refused(images):
    """Keras would drop their imaginary part, with a warning at most."""
    model = _compile(loupe_model((16, 18, 1), 4, **SMALL))
    given = np.asarray(images) + 0j
    for arguments, name in [
        ((given, images), "x"),
        ((images, given), "y"),
    ]:
        with pytest.raises(ValueError, match=f"`{name}`.*two channels"):
            model.fit(*arguments, verbose=0)
        with pytest.raises(ValueError, match=f"`{name}`.*two channels"):
            model.evaluate(*arguments, verbose=0)
    with pytest.raises(ValueError, match="`validation_data`.*complex"):
        model.fit(images, images, validation_data=(given, given), verbose=0)
    with pytest.raises(ValueError, match="`x`.*complex64"):
        model.fit([given], verbose=0)
    with pytest.raises(ValueError, match="`x`.*complex64"):
        model.predict(given, verbose=0)
