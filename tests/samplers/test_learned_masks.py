"""Every shape of learned mask does what every other does."""

import keras
import numpy as np
import pytest

from loupe_tf import masks, samplers
from loupe_tf.layers.estimators import ESTIMATORS

# Size of the volumes along the read-out.
DEPTH = 3
SHAPES = {
    "points": {},
    "columns": {"lines": "columns"},
    "rows": {"lines": "rows"},
    "both": {"lines": "both"},
    "half-plane": {"half_plane": True},
    "half of the columns": {"half_plane": True, "lines": "columns"},
    "half of the rows": {"half_plane": True, "lines": "rows"},
    "volume": {"volume": True},
    "columns of a volume": {"volume": True, "lines": "columns"},
    "both of a volume": {"volume": True, "lines": "both"},
    "half-plane of a volume": {"volume": True, "half_plane": True},
    "groups": {"groups": 3},
    "columns of groups": {"groups": 3, "lines": "columns"},
    "half-planes of groups": {"groups": 2, "half_plane": True},
    "nested": {"nested": True},
    "nested columns": {"nested": True, "lines": "columns"},
    "nested half-planes": {"nested": True, "half_plane": True},
    "nested in a volume": {"nested": True, "volume": True},
}
# `make test` has one shape of each kind on JAX, and every shape on TensorFlow.
KINDS = ("points", "both", "half of the columns", "groups", "nested")
on_jax = keras.backend.backend() == "jax"
LATER = [pytest.mark.slow] * on_jax
every_shape = pytest.mark.parametrize(
    "shape",
    [
        pytest.param(shape, marks=[] if shape in KINDS else LATER)
        for shape in SHAPES
    ],
)
# Every shape, and each kind of shape with every estimator.
every_estimator = pytest.mark.parametrize(
    "shape, estimator",
    [
        pytest.param(shape, estimator, marks=[] if shape in KINDS else LATER)
        for shape in SHAPES
        for estimator in ESTIMATORS
        if estimator == "relaxed" or shape in KINDS
    ],
)


def _build(shape, size=(15, 18), acceleration=4, **arguments):
    """A model of nothing but the mask."""
    options = {"seed": 0, **SHAPES[shape], **arguments}
    if options.pop("nested", False):
        acceleration = (acceleration, 2 * acceleration)
    depth = [DEPTH] if options.pop("volume", False) else []
    image = keras.Input((*depth, *size, 1), name="input")
    sampler = samplers.from_keywords(acceleration=acceleration, **options)
    inputs = sampler.inputs(size)
    return keras.Model([image, *inputs], sampler(image, *inputs), name="mask")


def _inputs(model, batch=4):
    """Images of ones and random values, and numbers of masks in turn."""
    rng = np.random.default_rng(1)
    image, *others = model.inputs
    x = 1 + rng.normal(size=(batch, *image.shape[1:])).astype("float32")
    numbers = np.arange(batch, dtype="int32") % _number(model)
    return [x, *(numbers for _ in others)]


def _number(model):
    return max(getattr(layer, "number_of_masks", 1) for layer in model.layers)


def _mask(model, inputs, training=False, name="sampled_mask"):
    sub = keras.Model(model.inputs, model.get_layer(name).output)
    return keras.ops.convert_to_numpy(sub(inputs, training=training))


def _all(model):
    found = masks.from_model(model)
    return found if isinstance(found, tuple) else (found,)


def _samplers(model):
    return [
        layer for layer in model.layers if layer.name.startswith("sampled_mask")
    ]


@pytest.mark.parametrize(
    "size, acceleration, calibration",
    [((16, 20), 4, 3), ((15, 17), 2.5, None), ((16, 17), 4, 3)],
)
@every_shape
def test_exact_budget(shape, size, acceleration, calibration):
    if "nested" in shape and "columns" in shape:
        calibration = calibration and 1
    model = _build(shape, size, acceleration, calibration=calibration)
    found = _all(model)
    options = SHAPES[shape]
    total = {"columns": size[1], "rows": size[0]}.get(
        options.get("lines"), size[0] * size[1]
    )
    acquired = [mask.acquired for mask in found]
    if options.get("nested"):
        expected = [round(total / acceleration / k) for k in (1, 2)]
        assert acquired == expected
        assert not (found[1].array & ~found[0].array).any()
    elif options.get("lines") == "both":
        rows, columns = (
            int(
                _mask(model, _inputs(model), name=f"sampled_mask_{axis}")[
                    0
                ].sum()
            )
            for axis in ("rows", "columns")
        )
        assert acquired == [rows * columns]
        nearest = min(
            abs(a * b - total / acceleration)
            for a in range(calibration or 1, size[0])
            for b in range(calibration or 1, size[1])
            if 0.5 <= (a / size[0]) / (b / size[1]) <= 2
        )
        assert abs(rows * columns - total / acceleration) == nearest
    else:
        groups = options.get("groups", 1)
        assert sum(acquired) == round(groups * total / acceleration)
    for mask in found:
        filled = mask.array
        if options.get("half_plane"):
            assert not (filled & ~masks.half_plane(filled.shape)).any()
            filled = filled | masks.mirrored(filled)
        region = masks.calibration_region(filled.shape, calibration)
        assert filled[region].all()
        assert mask.matrix == size


@every_shape
def test_calibration_by_default(shape):
    """fastMRI's share, 0.32 / R, of the lines; nested: of the largest R."""
    found = _all(_build(shape, (50, 75)))
    options = SHAPES[shape]
    expected = {"columns": 6, "rows": 4, "both": (4, 4)}.get(
        options.get("lines"), 4
    )
    if options.get("nested"):
        expected = expected // 2
    for mask in found:
        if options.get("half_plane"):
            assert mask.calibration is None
            assert mask.provenance["calibration_once_filled"] == expected
        else:
            assert mask.calibration == expected
    explicit = _build(shape, (50, 75), calibration=expected)
    assert _all(explicit) == found


@pytest.mark.parametrize("shape", [*KINDS, "volume", "columns", "half-plane"])
def test_no_calibration_by_default_in_a_tiny_matrix(shape):
    for mask in _all(_build(shape, (5, 5))):
        assert mask.calibration is None
        assert "calibration_once_filled" not in mask.provenance


@every_shape
def test_probabilities_have_the_sparsity(shape):
    model = _build(shape, calibration=2 if "columns" not in shape else 1)
    names = [
        layer.name
        for layer in model.layers
        if layer.name.startswith("prob_mask_scaled")
    ]
    means = []
    for name in names:
        prob = masks.probability_from_model(model, name)
        assert prob.min() >= 0 and prob.max() <= 1
        axes = (1, 2) if "nested" in shape else None
        means.append(prob.mean(axis=axes))
    if "both" in shape:
        expected = [s.sparsity for s in _samplers(model)[:2]]
        assert len(means) == 2
    elif "nested" in shape:
        expected = [[1 / 4, 1 / 8]]
    else:
        expected = [1 / 4]
    np.testing.assert_allclose(means, expected, rtol=1e-4)


@every_estimator
def test_relaxed_in_training_and_one_binary_mask_at_inference(shape, estimator):
    model = _build(shape, estimator=estimator, slope=3.0)
    inputs = _inputs(model, 12)
    number = _number(model)
    realizations = _mask(model, inputs, training=True)
    assert realizations.shape[0] == 12
    binary = np.isin(realizations, (0, 1)).all()
    assert binary == ESTIMATORS[estimator].binary
    # Each example has one of its own.
    assert len({m.tobytes() for m in realizations}) > 6
    once, twice = (_mask(model, inputs) for _ in range(2))
    np.testing.assert_array_equal(once, twice)
    for i, mask in enumerate(once):
        expected = _all(model)[i % number].array
        np.testing.assert_array_equal(mask[..., 0], expected)
    exact = ESTIMATORS[estimator].needs_budget
    if exact and "groups" in shape:
        # A realization of each group, whatever they are, is the budget.
        total = sum(realizations[i].sum() for i in range(number))
        assert total == sum(mask.acquired for mask in _all(model))
    elif exact:
        np.testing.assert_array_equal(
            realizations.sum(axis=(1, 2, 3)), once.sum(axis=(1, 2, 3))
        )
    if "half" in shape:
        outside = ~masks.half_plane(realizations.shape[1:3])
        assert not realizations[:, outside].any()


@every_estimator
def test_training_moves_the_logits(shape, estimator):
    model = _build(shape, estimator=estimator, slope=3.0)
    model.compile(keras.optimizers.SGD(1.0), loss="mse", run_eagerly=True)
    before = [np.array(w) for w in model.get_weights()]
    inputs = _inputs(model, 12)
    target = np.random.default_rng(2).random((12, *model.output_shape[1:]))
    loss = model.train_on_batch(inputs, target)
    assert np.isfinite(loss)
    moved = {
        w.path: np.asarray(new) != old
        for w, new, old in zip(model.weights, model.get_weights(), before)
    }
    logits = [change for path, change in moved.items() if "logits" in path]
    assert len(logits) == (2 if "both" in shape else 1)
    for change in logits:
        half = np.ones(change.shape[-2:], bool)
        if "half" in shape:
            half = masks.half_plane(change.shape[-2:])
        assert change[..., half].mean() > 0.5
        assert not change[..., ~half].any()


@pytest.mark.parametrize("binarization", ["threshold", "sampled", "relaxed"])
@every_shape
def test_other_binarizations(shape, binarization):
    model = _build(shape, binarization=binarization, slope=5.0)
    mask = _mask(model, _inputs(model, 12))
    assert np.isfinite(mask).all()
    assert np.isin(mask, (0, 1)).all() == (binarization != "relaxed")
    if "nested" in shape and binarization == "threshold":
        assert (mask[1] <= mask[0]).all()


@every_shape
def test_saved_and_loaded(tmp_path, shape):
    model = _build(shape, calibration=1)
    inputs = _inputs(model)
    for layer in _samplers(model):
        if hasattr(layer, "slope"):
            layer.slope.assign(77.0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(_mask(model, inputs), _mask(loaded, inputs))
    assert masks.from_model(model) == masks.from_model(loaded)
    assert all(mask.slope == 77.0 for mask in _all(loaded))
    assert all(mask.acceleration in (4, 8) for mask in _all(loaded))
    np.testing.assert_array_equal(
        _mask(model, inputs, training=True),
        _mask(loaded, inputs, training=True),
    )


@every_shape
def test_same_seed_same_mask(shape):
    assert masks.from_model(_build(shape)) == masks.from_model(_build(shape))


def test_other_seed_other_mask():
    first, second = (
        masks.probability_from_model(_build("points", seed=seed))
        for seed in (0, 1)
    )
    assert np.abs(first - second).max() > 0.1


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize(
    "shape", ["both", "half-plane", "groups", "nested", "volume"]
)
def test_mixed_precision(shape, policy):
    old = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy(policy)
        model = _build(shape)
        outputs = model(_inputs(model), training=True)
    finally:
        keras.config.set_dtype_policy(old)
    assert all(layer.dtype == "float32" for layer in _samplers(model))
    assert np.isfinite(keras.ops.convert_to_numpy(outputs)).all()


@pytest.mark.parametrize("shape", ["half-plane", "groups", "nested", "both"])
def test_fit(shape):
    """Compiled, and with the data handed over by Keras."""
    model = _build(shape, estimator="gumbel_topk", calibration=None)
    model.compile(keras.optimizers.Adam(1e-2), loss="mse")
    inputs = _inputs(model, 8)
    height, width = model.output_shape[1:3]
    ramp = np.linspace(0, 1, width)[None, None, :, None]
    wanted = np.tile(ramp, (8, height, 1, 1))
    before = model.evaluate(inputs, wanted, verbose=0)
    model.fit(inputs, wanted, batch_size=4, epochs=20, verbose=0)
    assert model.evaluate(inputs, wanted, verbose=0) < before
    if len(inputs) > 1:  # (batch, 1) will do as well.
        column = [inputs[0], inputs[1][:, None]]
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(model(column)),
            keras.ops.convert_to_numpy(model(inputs)),
        )
