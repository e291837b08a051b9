"""Every shape of learned mask does what every other does."""

import keras
import numpy as np
import pytest

from loupe_tf import masks
from loupe_tf.layers.estimators import ESTIMATORS
from loupe_tf.models import loupe_model

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
every_shape = pytest.mark.parametrize("shape", SHAPES)
# Every shape, and each kind of shape with every estimator.
KINDS = ("points", "both", "half of the columns", "groups", "nested", "volume")
every_estimator = pytest.mark.parametrize(
    "shape, estimator",
    [
        (shape, estimator)
        for shape in SHAPES
        for estimator in ESTIMATORS
        if estimator == "relaxed" or shape in KINDS
    ],
)


def _build(shape, size=(15, 18), acceleration=4, **arguments):
    options = {"reconstructor": "zero_filled", "seed": 0, **SHAPES[shape]}
    options.update(arguments)
    if options.pop("volume", False):
        size = (DEPTH, *size)
    if options.pop("nested", False):
        acceleration = (acceleration, 2 * acceleration)
    return loupe_model((*size, 1), acceleration, **options)


def _inputs(model, batch=4):
    """Images of ones and random values, and numbers of masks in turn."""
    rng = np.random.default_rng(1)
    image, *others = model.inputs
    x = 1 + rng.normal(size=(batch, *image.shape[1:])).astype("float32")
    if not others:
        return x
    return [x, np.arange(batch, dtype="int32") % _number(model)]


def _number(model):
    return max(getattr(layer, "number_of_masks", 1) for layer in model.layers)


def _mask(model, inputs, training=False, name="sampled_mask"):
    sub = keras.Model(model.inputs, model.get_layer(name).output)
    inputs = inputs if isinstance(inputs, list) else [inputs]
    return keras.ops.convert_to_numpy(sub(inputs, training=training))


def _all(model):
    found = masks.from_model(model)
    return found if isinstance(found, tuple) else (found,)


def _samplers(model):
    return [
        layer for layer in model.layers if layer.name.startswith("sampled_mask")
    ]


@pytest.mark.parametrize("acceleration, calibration", [(2.5, None), (4, 3)])
@pytest.mark.parametrize("size", [(16, 20), (15, 17), (16, 17)])
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


@pytest.mark.parametrize("calibration", [None, 0])
def test_no_calibration_where_none_is_asked_for(calibration):
    model = _build("points", (50, 75), calibration=calibration)
    assert not model.get_layer("sampled_mask").calibration
    prob = masks.probability_from_model(model)
    assert prob.max() < 1


@pytest.mark.parametrize("shape", [*KINDS, "columns", "half-plane"])
def test_no_calibration_by_default_in_a_tiny_matrix(shape):
    for mask in _all(_build(shape, (5, 5))):
        assert mask.calibration is None
        assert "calibration_once_filled" not in mask.provenance


@pytest.mark.parametrize(
    "estimator, slope",
    [
        ("relaxed", 20.0),
        ("straight_through", 12.0),
        ("concrete", 1.5),
        ("gumbel_topk", 1.0),
    ],
)
def test_slope_by_default(estimator, slope):
    assert (
        masks.from_model(_build("points", estimator=estimator)).slope == slope
    )


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
    assert binary == (estimator in ("straight_through", "gumbel_topk"))
    # Each example has one of its own.
    assert len({m.tobytes() for m in realizations}) > 6
    once, twice = (_mask(model, inputs) for _ in range(2))
    np.testing.assert_array_equal(once, twice)
    for i, mask in enumerate(once):
        expected = _all(model)[i % number].array
        np.testing.assert_array_equal(mask[..., 0], expected)
    if estimator == "gumbel_topk" and "groups" in shape:
        # A realization of each group, whatever they are, is the budget.
        total = sum(realizations[i].sum() for i in range(number))
        assert total == sum(mask.acquired for mask in _all(model))
    elif estimator == "gumbel_topk":
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
    target = inputs[0] if isinstance(inputs, list) else inputs
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
    model = _build(shape, calibration=1, data_consistency=True)
    inputs = _inputs(model)
    for layer in _samplers(model):
        if hasattr(layer, "slope"):
            layer.slope.assign(77.0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        model.predict(inputs, verbose=0), loaded.predict(inputs, verbose=0)
    )
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
        masks.probability_from_model(model, model.layers[1].name)
        for model in (
            loupe_model((8, 8, 1), 4, seed=seed, reconstructor="zero_filled")
            for seed in (0, 1)
        )
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
        model = _build(shape, reconstructor=None, filters=2, depth=2)
        outputs = model(_inputs(model), training=True)
    finally:
        keras.config.set_dtype_policy(old)
    assert all(layer.dtype == "float32" for layer in _samplers(model))
    assert np.isfinite(keras.ops.convert_to_numpy(outputs)).all()


@pytest.mark.parametrize("shape", ["half-plane", "groups", "nested", "both"])
def test_fit(shape):
    """Compiled, and with the data handed over by Keras."""
    model = _build(shape, estimator="gumbel_topk")
    model.compile(keras.optimizers.Adam(1e-2), loss="mse")
    inputs = _inputs(model, 8)
    x = inputs[0] if isinstance(inputs, list) else inputs
    before = model.evaluate(inputs, x, verbose=0)
    model.fit(inputs, x, batch_size=4, epochs=20, verbose=0)
    assert model.evaluate(inputs, x, verbose=0) < before
    if isinstance(inputs, list):  # (batch, 1) will do as well.
        column = [x, inputs[1][:, None]]
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(model(column)),
            keras.ops.convert_to_numpy(model(inputs)),
        )


@pytest.mark.parametrize("size", [(16, 18), (15, 17), (16, 17), (17, 16)])
def test_whole_half_plane_is_the_whole_image(size):
    half = masks.half_plane(size)
    everything = half.size / int(half.sum())
    model = _build("half-plane", size, everything)
    x = _inputs(model)
    np.testing.assert_allclose(model.predict(x, verbose=0), abs(x), atol=1e-5)


@pytest.mark.parametrize("size", [(16, 18), (15, 17)])
@pytest.mark.parametrize("lines", [None, "columns", "rows"])
def test_mirrored_half_is_the_conjugate(size, lines):
    """What is filled in is what a scanner's half tells, in NumPy."""
    model = _build("half-plane", size, 3, lines=lines)
    x = _inputs(model)
    mask = masks.from_model(model).array
    axes = (1, 2)
    y = np.fft.fftshift(np.fft.fft2(x[..., 0], axes=axes), axes=axes)
    y = np.where(mask, y, 0)
    known = mask | masks.mirrored(mask)
    filled = np.where(mask, y, np.conj(masks.mirrored(y)))
    assert known.sum() > 1.5 * mask.sum()
    filled = np.fft.ifftshift(filled, axes=axes)
    expected = abs(np.fft.ifft2(filled, axes=axes))
    got = model.predict(x, verbose=0)[..., 0]
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_volume_is_measured_by_a_transform_of_three_axes():
    model = _build("volume")
    x = _inputs(model)
    mask = np.fft.ifftshift(masks.from_model(model).array)
    axes = (1, 2, 3)
    y = np.where(mask, np.fft.fftn(x[..., 0], axes=axes), 0)
    expected = abs(np.fft.ifftn(y, axes=axes))
    got = model.predict(x, verbose=0)[..., 0]
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_both_is_the_outer_product():
    model = _build("both", (15, 18), (2.5, 2), calibration=(3, 5))
    x = _inputs(model)
    for training in (True, False):
        rows, columns, mask = (
            keras.ops.convert_to_numpy(output)
            for output in keras.Model(
                model.inputs,
                [
                    model.get_layer(f"sampled_mask{axis}").output
                    for axis in ("_rows", "_columns", "")
                ],
            )([x], training=training)
        )
        np.testing.assert_allclose(mask, rows * columns, rtol=1e-5, atol=1e-30)
    assert rows[0].sum() == 6 and columns[0].sum() == 9
    mask = masks.from_model(model)
    assert (mask.acceleration, mask.calibration) == (5, (3, 5))
    assert mask.provenance["pattern"] == "learned"
    # Two masks of the same logits would be symmetric.
    same = masks.from_model(_build("both", (32, 32))).array
    assert (same != same.T).any()


def test_nested_whatever_the_logits(rng):
    model = loupe_model(
        (16, 18, 1),
        (2, 3, 4.5, 8),
        reconstructor="zero_filled",
        seed=0,
        calibration=3,
    )
    layer = model.get_layer("prob_mask")
    for scale in (0.01, 1, 20, 1000):  # The last ones saturate.
        layer.logits.assign(scale * rng.normal(size=(16, 18)))
        found = masks.from_model(model)
        assert [m.acceleration for m in found] == [2, 3, 4.5, 8]
        assert [m.acquired for m in found] == [144, 96, 64, 36]
        for larger, smaller in zip(found, found[1:]):
            assert not (smaller.array & ~larger.array).any()
        prob = masks.probability_from_model(model)
        assert (np.diff(prob, axis=0) <= 0).all()


def test_groups_share_the_budget():
    model = _build("groups", calibration=2)
    layer = model.get_layer("prob_mask")
    logits = np.array(keras.ops.convert_to_numpy(layer.logits))
    logits[1] += 0.5
    layer.logits.assign(logits)
    acquired = [mask.acquired for mask in masks.from_model(model)]
    assert acquired[1] > 1.5 * max(acquired[0], acquired[2])
    assert sum(acquired) == round(3 * 15 * 18 / 4)
    prob = masks.probability_from_model(model)
    np.testing.assert_allclose(prob.mean(), 1 / 4, rtol=1e-5)
    assert [m.provenance["group"] for m in masks.from_model(model)] == [0, 1, 2]


def test_penalty_for_groups():
    model = loupe_model(
        (16, 18, 1),
        sparsity_penalty=10.0,
        groups=2,
        reconstructor="zero_filled",
        seed=0,
    )
    prob = masks.probability_from_model(model, "prob_mask")
    assert prob.shape == (2, 16, 18)
    # Without an R there is no share of the lines.
    assert model.get_layer("sampled_mask").calibration is None
    model(_inputs(model))
    np.testing.assert_allclose(
        float(sum(model.losses)), 10 * prob.mean(), rtol=1e-4
    )


@pytest.mark.parametrize(
    "arguments, match",
    [
        ({"acceleration": (8, 4)}, r"`acceleration`.*rising.*\(8, 4\)"),
        ({"acceleration": (4,)}, "`acceleration`.*rising"),
        ({"acceleration": (4, 4)}, "`acceleration`.*rising"),
        ({"acceleration": (1, 4)}, "`acceleration`.*above 1"),
        (
            {"acceleration": (8, 8.1), "lines": "columns"},
            r"`sparsity`.*another budget.*\[2, 2\]",
        ),
        ({"acceleration": (4, 8), "calibration": 7}, "`calibration`.*36 of"),
        ({"acceleration": (4, 8), "groups": 2}, "`groups`.*share one mask"),
        ({"groups": 1}, "`groups`.*at least 2.*1"),
        ({"groups": 2.0}, "`groups`.*integer"),
        ({"lines": "both", "groups": 2}, "`groups`.*lines='both'"),
        ({"lines": "both", "half_plane": True}, "`half_plane`.*lines='both'"),
        (
            {"lines": "both", "acceleration": (2, 4, 8)},
            r"`acceleration`.*pair.*\(2, 4, 8\)",
        ),
        (
            {"lines": "both", "acceleration": (4, 4), "calibration": 8},
            "`calibration`.*4 of 16",
        ),
        (
            {"half_plane": True, "input_shape": (16, 18, 2)},
            "`half_plane`.*complex",
        ),
        ({"half_plane": True, "snr": 10.0}, "`snr`.*same noise"),
        ({"half_plane": True, "acceleration": 1.9}, "half-plane.*152"),
        (
            {"half_plane": True, "acceleration": None, "sparsity_penalty": 1.0},
            "`sparsity_penalty`.*half_plane",
        ),
        (
            {"mask": np.ones((16, 18)), "acceleration": None, "groups": 2},
            "`groups`.*given",
        ),
    ],
)
def test_invalid_arguments(arguments, match):
    options = {"input_shape": (16, 18, 1), "acceleration": 4, **arguments}
    with pytest.raises(ValueError, match=match):
        loupe_model(**options)


def test_an_error_about_lines_names_all_choices():
    with pytest.raises(ValueError, match="'columns', 'rows', 'both'.*colums"):
        loupe_model((8, 8, 1), 2, lines="colums")
