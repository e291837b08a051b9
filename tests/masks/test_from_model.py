import keras
import numpy as np
import pytest

from loupe_tf.masks import from_model


class FakeMask(keras.layers.Layer):
    """Stands for a layer that learns a mask."""

    def __init__(self, mask, channels=1, **kwargs):
        super().__init__(**kwargs)
        self.mask = np.asarray(mask, dtype="float32")[None, :, :, None]
        self.mask = np.repeat(self.mask, channels, axis=-1)

    def call(self, inputs, training=None):
        mask = keras.ops.convert_to_tensor(self.mask)
        return mask * 0.5 if training else mask


class RichFakeMask(FakeMask):
    """Has all that `from_model` looks for."""

    def __init__(self, mask, **kwargs):
        super().__init__(mask, **kwargs)
        self.slope = self.add_weight(
            shape=(), initializer=keras.initializers.Constant(200.0)
        )
        self.sparsity = 0.25
        self.calibration = [2, 2]
        self.estimator = "relaxed"
        self.binarization = "topk"


def model_of(layer, shape=(4, 6, 1), batch=None):
    image = keras.Input(shape, batch_size=batch)
    other = keras.Input((3,))
    mask = layer(image)
    return keras.Model(
        [image, other],
        [image * mask, keras.layers.Dense(2)(other)],
        name="tiny",
    )


def array():
    mask = np.zeros((4, 6), dtype=bool)
    mask[1:3, 2:4] = True
    mask[0, 5] = True
    return mask


def test_plain_layer():
    mask = from_model(model_of(FakeMask(array(), name="sampled_mask")))
    np.testing.assert_array_equal(mask.array, array())
    assert mask.acceleration == mask.achieved_acceleration == 24 / 5
    assert mask.calibration is None
    assert mask.slope is None
    digest = mask.provenance.pop("weights_sha256")
    assert len(digest) == 64
    assert mask.provenance == {"pattern": "given", "model": "tiny"}
    assert mask.matrix == (4, 6)


def test_hash_of_the_weights(tmp_path):
    def digest(model):
        return from_model(model).provenance["weights_sha256"]

    model = model_of(RichFakeMask(array(), name="sampled_mask"))
    before = digest(model)
    assert digest(model) == before
    twin = model_of(RichFakeMask(array(), name="sampled_mask"))
    assert digest(twin) != before  # Its dense layer begins elsewhere.
    twin.set_weights(model.get_weights())
    assert digest(twin) == before  # Whatever Keras calls its layers.
    layer = model.get_layer("sampled_mask")
    layer.slope.assign(201.0)
    assert digest(model) != before
    layer.slope.assign(200.0)
    assert digest(model) == before


def test_provenance_from_outside():
    model = model_of(FakeMask(array(), name="sampled_mask"))
    facts = {"slope_history": [200.0, 300.0], "data": "knees"}
    provenance = from_model(model, provenance=facts).provenance
    assert provenance["slope_history"] == [200.0, 300.0]
    assert provenance["data"] == "knees" and provenance["model"] == "tiny"
    with pytest.raises(ValueError, match="`provenance`"):
        from_model(model, provenance={"a": np.zeros(2)})


def test_rich_layer(tmp_path):
    model = model_of(RichFakeMask(array(), name="mine"))
    mask = from_model(model, layer_name="mine")
    assert mask.acceleration == 4
    assert mask.achieved_acceleration == 24 / 5
    assert mask.calibration == (2, 2)
    assert mask.slope == 200.0
    assert len(mask.provenance.pop("weights_sha256")) == 64
    assert mask.provenance == {
        "pattern": "learned",
        "model": "tiny",
        "trained_on": "magnitudes",
        "estimator": "relaxed",
        "binarization": "topk",
    }
    mask.save(tmp_path / "mask.npz")
    assert type(mask).load(tmp_path / "mask.npz") == mask
    model.get_layer("mine").slope.assign(300.0)
    assert from_model(model, layer_name="mine").slope == 300.0


def test_layer_without_sparsity():
    layer = RichFakeMask(array(), name="sampled_mask")
    layer.sparsity = None
    assert from_model(model_of(layer)).acceleration == 24 / 5


@pytest.mark.parametrize(
    "line, shape, lines",
    [([[0, 1, 1, 0, 0, 1]], (1, 6), "columns"), ([[0], [1]], (2, 1), "rows")],
)
def test_lines(line, shape, lines):
    model = model_of(FakeMask(line, name="sampled_mask"), (2, 6, 1))
    mask = from_model(model)
    assert mask.shape == shape
    assert mask.lines == lines
    assert mask.matrix == (2, 6)


def test_fixed_batch_size():
    class Picky(FakeMask):
        def call(self, inputs, training=None):
            keras.ops.reshape(inputs, (3, 24))
            return super().call(inputs, training=training)

    model = model_of(Picky(array(), name="sampled_mask"), batch=3)
    assert from_model(model).acquired == 5


def test_weights_and_random_state_are_left_alone():
    model = model_of(RichFakeMask(array(), name="sampled_mask"))

    def values():
        return [keras.ops.convert_to_numpy(v) for v in model.variables]

    before = values()
    from_model(model)
    for old, new in zip(before, values(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_refuses_unknown_layer():
    model = model_of(FakeMask(array(), name="sampled_mask"))
    with pytest.raises(
        ValueError, match="`layer_name`. .*'sampled_mask'.*layer_name='prob'"
    ):
        from_model(model, layer_name="prob")


def test_a_model_without_a_mask():
    inputs = keras.Input((8, 8, 1))
    model = keras.Model(inputs, keras.layers.Conv2D(1, 3)(inputs))
    with pytest.raises(ValueError, match="`model`. Expected one with a mask"):
        from_model(model)


def test_refuses_mask_that_is_not_binary():
    model = model_of(FakeMask(array() * 0.5, name="sampled_mask"))
    with pytest.raises(ValueError, match="inference mask is binary"):
        from_model(model)


def test_refuses_wrong_output_shape():
    model = model_of(FakeMask(array(), channels=2, name="sampled_mask"))
    with pytest.raises(ValueError, match=r"output has shape \(1, 4, 6, 2"):
        from_model(model)


def test_refuses_input_of_unknown_size():
    model = model_of(FakeMask(array(), name="sampled_mask"), (None, 6, 1))
    with pytest.raises(ValueError, match="`model`. Expected inputs of known"):
        from_model(model)


def test_refuses_what_is_not_functional():
    class Subclassed(keras.Model):
        def call(self, inputs):
            return inputs

    for model in (Subclassed(), None):
        with pytest.raises(ValueError, match="Expected a functional Keras"):
            from_model(model)


def test_mask_and_probability_of_a_real_model():
    from loupe_tf import masks
    from loupe_tf.models import loupe_model

    learned = loupe_model(
        (13, 16, 1), 4, calibration=3, reconstructor="zero_filled", seed=0
    )
    probability = masks.probability_from_model(learned)
    assert probability.shape == (13, 16)
    np.testing.assert_allclose(probability.mean(), 0.25, rtol=1e-5)
    mask = masks.from_model(learned)
    expected = masks.binarize(probability, 4, calibration=3)
    np.testing.assert_array_equal(mask.array, expected)
    assert mask.slope == 20.0 and mask.calibration == 3
    assert mask.provenance["pattern"] == "learned"

    given = loupe_model(
        (13, 16, 1),
        mask=masks.gaussian((13, 16), 4),
        reconstructor="zero_filled",
    )
    assert masks.from_model(given).provenance["pattern"] == "given"
    with pytest.raises(ValueError, match="prob_mask_scaled"):
        masks.probability_from_model(given)


def test_field_of_view_goes_with_the_model(tmp_path):
    from loupe_tf.models import loupe_model

    options = {"filters": 2, "depth": 1, "field_of_view": (230, 220.5)}
    model = loupe_model((8, 6, 1), acceleration=4, **options)
    model.save(tmp_path / "model.keras")
    for each in (model, keras.models.load_model(tmp_path / "model.keras")):
        mask = from_model(each)
        assert mask.field_of_view == (230, 220.5)
        assert mask.voxel_size == (230 / 8, 220.5 / 6)
        assert from_model(each, field_of_view=(1, 2)).field_of_view == (1, 2)
    # A mask that is given brings its own.
    fixed = loupe_model((8, 6, 1), mask=mask, reconstructor="zero_filled")
    assert from_model(fixed).field_of_view == (230, 220.5)
    plain = loupe_model((8, 6, 1), mask=mask.array, reconstructor="zero_filled")
    assert from_model(plain).field_of_view is None
    with pytest.raises(ValueError, match="`field_of_view`"):
        loupe_model((8, 6, 1), acceleration=4, field_of_view=230)
