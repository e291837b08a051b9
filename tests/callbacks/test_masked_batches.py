import keras
import numpy as np
import pytest

import loupe_tf
from loupe_tf.callbacks import MaskedBatches, ShuffledBatches, fit_two_rounds
from loupe_tf.masks import random_lines

SHAPE = (8, 12)


def draw(seed):
    return random_lines(SHAPE, 3, 2, seed=seed)


@pytest.fixture
def x(rng):
    return rng.uniform(size=(7, *SHAPE, 1)).astype("float32")


def everything(batches, epoch):
    batches.set_epoch(epoch)
    return [batches[i] for i in range(len(batches))]


def test_another_mask_for_each_example_and_epoch_and_the_same_again(x):
    batches = MaskedBatches(x, 2 * x, draw, batch_size=3, seed=1)
    epochs = [everything(batches, epoch) for epoch in (0, 1, 0)]
    masks = [np.concatenate([m for (_, m), _ in epoch]) for epoch in epochs]
    assert masks[0].shape == (7, *SHAPE, 1) and masks[0].dtype == "float32"
    np.testing.assert_array_equal(masks[0], masks[2])
    lines = np.concatenate(masks[:2])[:, 0, :, 0]
    assert len(np.unique(lines, axis=0)) > 10  # of 14
    # Four lines of twelve, the central two among them, over all rows.
    assert (lines.sum(axis=1) == 4).all() and lines[:, 5:7].all()
    assert (masks[0] == masks[0][:, :1]).all()
    for (images, _), targets in epochs[0]:
        np.testing.assert_array_equal(2 * images, targets)


def test_the_order_is_that_of_shuffled_batches(x):
    plain = ShuffledBatches(x, x, batch_size=3, seed=5)
    masked = MaskedBatches(x, x, draw, batch_size=3, seed=5)
    for epoch in (0, 3):
        for (a, _), ((b, _), _) in zip(
            everything(plain, epoch), everything(masked, epoch), strict=True
        ):
            np.testing.assert_array_equal(a, b)


def test_a_mask_belongs_to_its_example_not_to_its_place(x):
    """Whatever the size of the batches is."""
    found = []
    for size in (2, 7):
        batches = MaskedBatches(x, x, draw, batch_size=size, seed=3)
        found.append(
            {
                image.tobytes(): mask.tobytes()
                for (images, masks), _ in everything(batches, 2)
                for image, mask in zip(images, masks)
            }
        )
    assert found[0] == found[1] and len(found[0]) == 7


def test_given_seeds_hold_in_every_epoch(x):
    seeds = np.array([4, 4, 4, 9, 9, 9, 9])
    batches = MaskedBatches(x, x, draw, seeds=seeds)
    first = batches.masks(range(7))
    for i, seed in enumerate(seeds):
        expected = np.broadcast_to(draw(int(seed)).array, SHAPE)
        np.testing.assert_array_equal(first[i, ..., 0], expected)
    batches.set_epoch(1)
    np.testing.assert_array_equal(batches.masks(range(7)), first)
    with pytest.raises(ValueError, match="`seeds`.*one for each"):
        MaskedBatches(x, x, draw, seeds=seeds[1:])


def test_refuses_masks_of_another_size(x):
    batches = MaskedBatches(x, x, lambda seed: np.ones((1, 8), bool))
    with pytest.raises(ValueError, match=r"`draw`.*\(1, 12\).*\(1, 8\)"):
        batches[0]


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="tf.data is TensorFlow's"
)
def test_to_tf_dataset_has_the_same_masks(x):
    batches = MaskedBatches(x, x, draw, batch_size=3, seed=1)
    dataset = batches.to_tf_dataset()
    batches.set_epoch(4)
    for (inputs, targets), batch in zip(dataset, batches, strict=True):
        for found, expected in zip(inputs, batch[0], strict=True):
            np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(targets, batch[1])


def test_fit_two_rounds_trains_on_them(x):
    """The model sees the masks: its loss is that of NumPy, mask by mask."""
    model = loupe_tf.models.loupe_model(
        (*SHAPE, 1),
        mask_input=True,
        reconstructor=keras.layers.Conv2D(1, 1, kernel_initializer="zeros"),
    )
    model.compile(keras.optimizers.SGD(0.0), loss="mse")
    batches = MaskedBatches(x, x, draw, batch_size=3, seed=2)
    held_out = MaskedBatches(x, x, draw, seeds=np.arange(7))
    history = fit_two_rounds(
        model, batches, held_out, epochs=(2, 0), slope_callback=False, verbose=0
    ).history

    def mse(images, masks):
        kspace = np.fft.fft2(images[..., 0])
        kspace *= np.fft.ifftshift(masks[..., 0], axes=(1, 2))
        output = np.abs(np.fft.ifft2(kspace))
        return np.mean((output - images[..., 0]) ** 2, axis=(1, 2))

    expected = [
        np.concatenate([mse(*inputs) for inputs, _ in everything(batches, i)])
        for i in (0, 1)
    ]
    np.testing.assert_allclose(
        history["loss"], np.mean(expected, axis=1), rtol=1e-4
    )
    validation = mse(x, held_out.masks(range(7))).mean()
    np.testing.assert_allclose(history["val_loss"], validation, rtol=1e-4)
