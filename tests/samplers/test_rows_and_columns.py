import keras
import numpy as np
import pytest

from loupe_tf import masks
from loupe_tf.samplers import RowsAndColumns


def _build(sampler, size=(15, 18)):
    image = keras.Input((*size, 1), name="input")
    assert sampler.inputs(size) == []
    return keras.Model([image], sampler(image))


def test_mask_is_the_outer_product():
    model = _build(RowsAndColumns((2.5, 2), calibration=(3, 5), seed=0))
    x = np.zeros((4, 15, 18, 1), "float32")
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


def test_rows_and_columns_have_logits_of_their_own():
    same = masks.from_model(_build(RowsAndColumns(4, seed=0), (32, 32))).array
    assert (same != same.T).any()


@pytest.mark.parametrize(
    "arguments",
    [
        {"acceleration": 4},
        {"acceleration": (4, 2), "calibration": 3, "estimator": "concrete"},
    ],
)
def test_stored_and_made_again(stored_again, arguments):
    sampler = RowsAndColumns(**arguments, seed=1)
    again = stored_again(sampler)
    assert arguments.items() <= again.get_config().items()


@pytest.mark.parametrize(
    "arguments, match",
    [
        ({"acceleration": (2, 4, 8)}, r"`acceleration`.*pair.*\(2, 4, 8\)"),
        ({"acceleration": (1, 4)}, "`acceleration`.*above 1"),
        ({"acceleration": None}, "`acceleration`.*above 1.*None"),
        ({"slope": -1}, "`slope`.*above 0"),
    ],
)
def test_invalid_arguments(arguments, match):
    with pytest.raises(ValueError, match=match):
        RowsAndColumns(**{"acceleration": 4, **arguments})


@pytest.mark.parametrize(
    "arguments, match",
    [
        ({"acceleration": (4, 4), "calibration": 8}, "`calibration`.*4 of 15"),
        ({"calibration": 15}, r"`calibration`.*\(15, 18\).*\(15, 15\)"),
    ],
)
def test_arguments_that_do_not_fit_the_size(arguments, match):
    with pytest.raises(ValueError, match=match):
        _build(RowsAndColumns(**{"acceleration": 4, **arguments}))
