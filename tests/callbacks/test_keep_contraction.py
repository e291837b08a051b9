import keras
import numpy as np
import pytest

from loupe_tf import models
from loupe_tf.callbacks import BackupAndRestore, KeepContraction


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


@pytest.mark.graph
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


class Given(keras.layers.Layer):
    """An equilibrium whose rate is its input, times a variable."""

    def build(self, _):
        for name in ("factor", "residual", "rate", "steps", "largest_rate"):
            variable = self.add_weight(
                shape=(), initializer="zeros", trainable=False, name=name
            )
            setattr(self, name, variable)
        self.bias = self.add_weight(shape=(), initializer="zeros")

    def call(self, x, training=None):
        if training:
            rate = keras.ops.max(x) * self.factor
            self.rate.assign(rate)
            self.largest_rate.assign(
                keras.ops.maximum(self.largest_rate.value, rate)
            )
        return x + self.bias


def test_judges_all_batches_once_all_have_contracted():
    """The first of two batches fails in epochs 0 and 3, and none in 1."""
    model = keras.Sequential([keras.Input((1,)), Given()])
    model.compile(keras.optimizers.SGD(0.1), loss="mse")
    kept = {}

    class Change(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            model.layers[0].factor.assign([1.0, 0.5, 0.9, 1.0][epoch])

        def on_epoch_end(self, epoch, logs=None):
            kept[epoch] = float(np.asarray(model.layers[0].bias))

    x = np.array([[1.0], [0.5]], "float32")
    history = model.fit(
        *(x, x + 1),
        **{"batch_size": 1, "epochs": 4, "shuffle": False, "verbose": 0},
        callbacks=[KeepContraction(verbose=0), Change()],
    ).history
    np.testing.assert_allclose(history["rate"], [1.0, 0.5, 0.9, 1.0])
    np.testing.assert_allclose(history["residual"], 0)
    assert kept[0] < kept[1] < kept[2] == kept[3]
    rate = float(np.asarray(model.optimizer.learning_rate))
    np.testing.assert_allclose(rate, 0.05, rtol=1e-5)


def test_goes_back_no_further_after_a_good_epoch():
    """Epochs 1 and 3 fail, but epoch 2, between them, does not."""
    model = keras.Sequential([keras.Input((1,)), Given()])
    model.compile(keras.optimizers.SGD(0.1), loss="mse")
    layer, seen = model.layers[0], []

    class Change(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            layer.factor.assign([0.5, 1.0, 0.5, 1.0, 0.5][epoch])
            seen.append(float(np.asarray(layer.bias)))

    x = np.array([[1.0]], "float32")
    model.fit(
        *(x, x + 1),
        **{"epochs": 5, "verbose": 0},
        callbacks=[KeepContraction(verbose=0), Change()],
    )
    # Each failed epoch ends with the weights that it began with.
    assert seen[0] < seen[1] == seen[2] < seen[3] == seen[4]


def test_goes_back_further_if_it_fails_again():
    """The last batch of a good epoch can spoil the weights that are kept."""
    model = keras.Sequential([keras.Input((1,)), Given()])
    model.compile(keras.optimizers.SGD(0.1), loss="mse")
    layer, seen = model.layers[0], []

    class Change(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            layer.factor.assign([0.5, 0.5, 1.0, 1.0, 0.5][epoch])
            seen.append(float(np.asarray(layer.bias)))

    x = np.array([[1.0]], "float32")
    model.fit(
        *(x, x + 1),
        **{"epochs": 5, "verbose": 0},
        callbacks=[KeepContraction(verbose=0), Change()],
    )
    # The weights at the end of epoch 1, and then those of epoch 0.
    assert seen[0] < seen[1] < seen[2] == seen[3] and seen[4] == seen[1]
    rate = float(np.asarray(model.optimizer.learning_rate))
    np.testing.assert_allclose(rate, 0.025, rtol=1e-5)


def test_needs_an_equilibrium(images):
    model = models.loupe_model((16, 18, 1), 2, filters=1, depth=1)
    model.compile("adam", loss="mse")
    with pytest.raises(ValueError, match="`model`"):
        model.fit(images, images, verbose=0, callbacks=[KeepContraction()])


@pytest.mark.parametrize("argument", ["limit", "factor"])
def test_invalid(argument):
    with pytest.raises(ValueError, match=f"`{argument}`"):
        KeepContraction(**{argument: 0})


def test_a_resumed_run_goes_back_to_what_was_restored(tmp_path):
    """The backup is restored by the last callback, after this one began."""

    def fit(epochs, factor):
        model = keras.Sequential([keras.Input((1,)), Given()])
        model.compile(keras.optimizers.SGD(0.1), loss="mse")

        class Change(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                model.layers[0].factor.assign(factor)

        callbacks = [KeepContraction(verbose=0), Change()]
        callbacks.append(BackupAndRestore(tmp_path / "run", callbacks))
        x = np.ones((2, 1), "float32")
        model.fit(x, x + 1, epochs=epochs, verbose=0, callbacks=callbacks)
        return float(np.asarray(model.layers[0].bias))

    backed_up = fit(2, 0.5)
    assert backed_up > 0.1
    # The third epoch does not contract.
    assert fit(3, 1.0) == backed_up
