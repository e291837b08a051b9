import keras
import numpy as np
import pytest

from loupe_tf import models
from loupe_tf.callbacks import KeepContraction


def equilibrium(network):
    keras.utils.set_random_seed(0)
    return models.loupe_model(
        (8, 8, 1),
        acceleration=2,
        reconstructor=models.DeepEquilibrium(models.ProximalGradient(network)),
        seed=0,
    )


class Break(keras.callbacks.Callback):
    """Make the network expand, once."""

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            for weight in self.model.reconstructor.trainable_weights:
                if "kernel" in weight.path:
                    weight.assign(50.0 + 0 * weight)


def test_goes_on_from_the_last_good_weights(capsys, images):
    network = models.cnn((None, None, 2), 2, 2, 3, normalization=None)
    model = equilibrium(network)
    model.compile(keras.optimizers.Adam(1e-3), loss="mse")
    kept = {}

    class Watch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            kept[epoch] = model.get_weights()

    history = model.fit(
        images[:, :8, :8],
        images[:, :8, :8],
        epochs=3,
        verbose=0,
        callbacks=[Break(), KeepContraction(), Watch()],
    ).history
    assert history["rate"][0] < 0.99 < history["rate"][1]
    assert history["residual"][1] > history["residual"][0]
    assert set(history) >= {"residual", "rate", "steps"}
    for name, before, after in zip(model.weights, kept[0], kept[1]):
        np.testing.assert_array_equal(before, after, err_msg=name.path)
    assert history["rate"][2] < 0.99 and np.isfinite(history["loss"][2])
    rate = float(np.asarray(model.optimizer.learning_rate))
    np.testing.assert_allclose(rate, 5e-4, rtol=1e-5)
    printed = capsys.readouterr().out
    assert printed.count("no contraction") == 1 and "Epoch 2" in printed


def test_goes_on_if_the_first_epoch_is_lost(images):
    """The optimizer's averages of gradients are not numbers by then."""
    network = models.cnn((None, None, 2), 2, 2, 3, normalization=None)
    model = equilibrium(network)
    model.compile(keras.optimizers.Adam(1e-3), loss="mse")

    class Lose(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 0:
                for weight in self.model.reconstructor.trainable_weights:
                    weight.assign(np.nan + 0 * weight)

    history = model.fit(
        images[:, :8, :8],
        images[:, :8, :8],
        epochs=2,
        verbose=0,
        callbacks=[KeepContraction(verbose=0), Lose()],
    ).history
    assert not np.isfinite(history["loss"][0])
    assert np.isfinite(history["loss"][1]) and history["rate"][1] < 0.99
    for weight in model.weights:
        assert np.isfinite(keras.ops.convert_to_numpy(weight)).all()


def test_needs_an_equilibrium(images):
    model = models.loupe_model((16, 18, 1), 2, filters=1, depth=1)
    model.compile("adam", loss="mse")
    with pytest.raises(ValueError, match="`model`"):
        model.fit(images, images, verbose=0, callbacks=[KeepContraction()])


@pytest.mark.parametrize("argument", ["limit", "factor"])
def test_invalid(argument):
    with pytest.raises(ValueError, match=f"`{argument}`"):
        KeepContraction(**{argument: 0})
