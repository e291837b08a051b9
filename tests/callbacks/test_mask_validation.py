import numpy as np
import pytest

from loupe_tf.callbacks import MaskValidation, SlopeSchedule
from loupe_tf.models import loupe_model, with_binarization


def _model(**arguments):
    model = loupe_model(
        (16, 18, 1), 4, reconstructor="zero_filled", seed=0, **arguments
    )
    model.compile("adam", loss="mse", metrics=["mae"])
    return model


@pytest.mark.parametrize(
    "binarization",
    [
        pytest.param("relaxed", marks=pytest.mark.graph),
        "threshold",
        "exact",
    ],
)
def test_adds_loss_and_metrics_of_the_other_mask(images, binarization):
    model = _model()
    validation = MaskValidation((images, images), binarization, batch_size=8)
    history = model.fit(
        images,
        images,
        epochs=2,
        validation_data=(images, images),
        callbacks=[SlopeSchedule(lambda epoch: 5.0 + epoch), validation],
        verbose=0,
    ).history
    loss = history[f"val_{binarization}_loss"]
    assert len(history[f"val_{binarization}_mae"]) == 2
    if binarization == "exact":
        np.testing.assert_allclose(loss, history["val_loss"], rtol=1e-5)
        return
    assert loss[1] != history["val_loss"][1]
    # What a model of its own says with the last weights and the last slope.
    twin = with_binarization(model, binarization)
    assert float(twin.get_layer("sampled_mask").slope) == 6.0
    if binarization == "relaxed":
        twin.get_layer("sampled_mask").seed_generator.state.assign([0, 0])
    expected = twin.evaluate(images, images, batch_size=8, verbose=0)[0]
    np.testing.assert_allclose(loss[1], expected, rtol=1e-4)


def test_the_noise_is_the_same_each_time(images):
    model = _model()
    model.optimizer.learning_rate = 0.0
    validation = MaskValidation((images, images), "relaxed", batch_size=8)
    history = model.fit(
        images, images, epochs=3, callbacks=[validation], verbose=0
    ).history
    assert len(set(history["val_relaxed_loss"])) == 1


def test_a_model_that_learns_no_mask(images):
    model = loupe_model((16, 18, 1), mask=np.ones((16, 18)), filters=2, depth=1)
    model.compile("adam", loss="mse")
    with pytest.raises(ValueError, match="ThresholdRandomMask"):
        model.fit(
            images,
            images,
            callbacks=[MaskValidation((images, images))],
            verbose=0,
        )
