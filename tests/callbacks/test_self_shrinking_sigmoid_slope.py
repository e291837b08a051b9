import keras
import numpy as np
import pytest

from loupe_tf.callbacks import SelfShrinkingSigmoidSlope
from loupe_tf.layers import ThresholdRandomMask
from loupe_tf.models import loupe_model


@keras.saving.register_keras_serializable(package="loupe_tf_tests")
class Tempered(keras.layers.Layer):
    """Any layer with a variable `slope`: a softmax temperature, say."""

    def build(self, input_shape):
        self.slope = self.add_weight(
            name="slope", shape=(), initializer="ones", trainable=False
        )

    def call(self, inputs):
        return keras.ops.softmax(self.slope * inputs)


def _model(*names):
    inputs = keras.Input((4,))
    x = inputs
    for name in names:
        x = Tempered(name=name)(x)
    return keras.Model(inputs, x)


def _run(callback, losses, model=None):
    """Feed losses to a callback; return the slopes during each epoch."""
    model = model or _model("a")
    callback.set_model(model)
    callback.on_train_begin()
    slopes = []
    for epoch, loss in enumerate(losses):
        logs = {"val_loss": loss}
        callback.on_epoch_end(epoch, logs)
        slopes.append({k: v for k, v in logs.items() if k != "val_loss"})
    return slopes


def _reference(losses, patience, factor, maximum, cooldown, early, reset):
    """The state machine again, written from its description."""
    slope, best, wait, cool, previous, slopes = 1.0, None, 0, 0, None, []
    for loss in losses:
        slopes.append(slope)
        ends = False
        if cool:
            cool -= 1
            ends = cool == 0 or (early and loss < previous)
        elif best is None or loss < best:
            best, wait = loss, 0
        else:
            wait += 1
            if wait >= patience and slope < maximum:
                slope = min(slope * factor, maximum)
                cool = cooldown
                ends = cool == 0
        if ends:
            cool, wait = 0, 0
            best = loss if reset else best
        previous = loss
    return slopes


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("patience", [1, 3])
@pytest.mark.parametrize("cooldown", [0, 1, 4])
@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize("reset", [True, False])
def test_state_machine(seed, patience, cooldown, early, reset):
    losses = np.random.default_rng(seed).normal(size=60).cumsum().tolist()
    callback = SelfShrinkingSigmoidSlope(
        patience=patience,
        factor=1.5,
        max_slope=30.0,
        cooldown=cooldown,
        exit_cooldown_on_improvement=early,
        reset_best=reset,
    )
    slopes = [logs["slope"] for logs in _run(callback, losses)]
    expected = _reference(losses, patience, 1.5, 30.0, cooldown, early, reset)
    np.testing.assert_allclose(slopes, expected, rtol=1e-5)
    assert slopes[-1] > 1


def test_the_papers_bare_rule():
    """Each time `patience` epochs bring no new best, s ← m·s."""
    callback = SelfShrinkingSigmoidSlope(
        patience=2, factor=2.0, cooldown=0, reset_best=False
    )
    losses = [5, 4, 6, 6, 6, 6, 3, 6, 6, 6]
    slopes = [logs["slope"] for logs in _run(callback, losses)]
    assert slopes == [1, 1, 1, 1, 2, 2, 4, 4, 4, 8]


def test_best_is_reset_after_the_cooldown():
    callback = SelfShrinkingSigmoidSlope(patience=1, cooldown=2)
    _run(callback, [1.0, 2.0, 9.0, 8.0])
    assert callback.best == 8.0 and callback.wait == 0
    callback = SelfShrinkingSigmoidSlope(
        patience=1, cooldown=2, reset_best=False
    )
    _run(callback, [1.0, 2.0, 9.0, 8.0])
    assert callback.best == 1.0


def test_min_delta():
    callback = SelfShrinkingSigmoidSlope(patience=2, cooldown=0, min_delta=0.5)
    slopes = _run(callback, [5.0, 4.9, 4.8, 4.7])
    assert slopes[-1]["slope"] == 1.5


def test_groups_rise_in_turn():
    callback = SelfShrinkingSigmoidSlope(
        patience=1,
        factor=2.0,
        max_slope=3.0,
        cooldown=0,
        layers=[["a", "b"], ["c"]],
    )
    logs = _run(callback, [1.0] * 8, _model("a", "b", "c"))
    a, b, c = ([e[f"slope_{name}"] for e in logs] for name in "abc")
    assert a == b == [1, 1, 2, 3, 3, 3, 3, 3]
    assert c == [1, 1, 1, 1, 2, 3, 3, 3]


def test_named_layers_alone():
    model = _model("a", "b")
    callback = SelfShrinkingSigmoidSlope(patience=1, cooldown=0, layers=["b"])
    _run(callback, [1.0] * 3, model)
    assert float(model.get_layer("a").slope) == 1.0
    assert float(model.get_layer("b").slope) > 1.0


def test_maximise():
    callback = SelfShrinkingSigmoidSlope(mode="max", patience=1, cooldown=0)
    callback.set_model(_model("a"))
    for epoch, value in enumerate([1.0, 2.0, 3.0, 2.0]):
        logs = {"val_loss": value}
        callback.on_epoch_end(epoch, logs)
    assert float(callback.model.get_layer("a").slope) == 1.5


@pytest.mark.graph
@pytest.mark.parametrize("jit_compile", [True, False])
def test_a_compiled_step_sees_the_new_slope(jit_compile):
    """The loss of a frozen network shows what slope the step used."""
    if keras.backend.backend() == "torch" and jit_compile:
        pytest.skip("Keras compiles nothing with torch here")
    inputs = keras.Input((4,))
    x = Tempered(name="tempered")(inputs)
    model = keras.Model(inputs, x)
    model.compile("sgd", loss="mse", jit_compile=jit_compile)
    data = np.tile(np.float32([[0, 1, 2, 3]]), (8, 1))
    callback = SelfShrinkingSigmoidSlope(
        monitor="loss", patience=1, factor=2.0, cooldown=0, min_delta=100.0
    )
    losses = model.fit(
        data, 0 * data, epochs=4, callbacks=[callback], verbose=0
    ).history
    assert losses["slope"] == [1.0, 1.0, 2.0, 4.0]
    for slope, loss in zip(losses["slope"], losses["loss"]):
        p = np.exp(slope * data[0])
        np.testing.assert_allclose(loss, np.mean((p / p.sum()) ** 2), rtol=1e-4)


def test_counters_come_back_with_the_weights(tmp_path):
    model = _model("a")
    callback = SelfShrinkingSigmoidSlope(patience=3, cooldown=2)
    _run(callback, [3.0, 2.0, 2.5, 2.6], model)
    model.save_weights(tmp_path / "run.weights.h5")
    other, resumed = _model("a"), SelfShrinkingSigmoidSlope(patience=3)
    resumed.set_model(other)
    other.load_weights(tmp_path / "run.weights.h5")
    for name in ("best", "previous", "wait", "cooldown_counter", "group"):
        assert getattr(resumed, name) == getattr(callback, name)
    assert callback.wait == 2


def test_weights_without_counters_still_load(tmp_path):
    _model("a").save_weights(tmp_path / "run.weights.h5")
    callback, model = SelfShrinkingSigmoidSlope(), _model("a")
    callback.set_model(model)
    model.load_weights(tmp_path / "run.weights.h5")
    assert callback.best is None


def test_resumed_with_keras_own_backup(tmp_path, images):
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 4:
                raise KeyboardInterrupt

    def fit(folder, *others):
        keras.utils.set_random_seed(0)
        model = loupe_model((16, 18, 1), 4, reconstructor="zero_filled", seed=0)
        model.compile("adam", loss="mse")
        slope = SelfShrinkingSigmoidSlope(
            "loss", patience=2, cooldown=1, min_delta=10.0
        )
        model.fit(
            images,
            images,
            epochs=9,
            shuffle=False,
            verbose=0,
            callbacks=[
                slope,
                *others,
                keras.callbacks.BackupAndRestore(folder),
            ],
        )
        return model

    whole = fit(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "killed", Interrupt())
    resumed = fit(tmp_path / "killed")
    slope = float(whole.get_layer("sampled_mask").slope)
    assert slope > 20 * 1.5**2
    assert float(resumed.get_layer("sampled_mask").slope) == slope


def test_does_not_touch_the_slope_of_prob_mask():
    model = loupe_model((8, 8, 1), 4, reconstructor="zero_filled")
    callback = SelfShrinkingSigmoidSlope(patience=1, cooldown=0)
    _run(callback, [1.0, 1.0], model)
    assert model.get_layer("prob_mask").slope == 5.0
    assert isinstance(model.get_layer("sampled_mask"), ThresholdRandomMask)
    assert float(model.get_layer("sampled_mask").slope) == 30.0


def test_a_model_without_a_slope():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    callback = SelfShrinkingSigmoidSlope()
    callback.set_model(model)
    with pytest.raises(ValueError, match="variable named `slope`.*no slope"):
        callback.on_train_begin()


def test_an_absent_monitor():
    callback = SelfShrinkingSigmoidSlope(monitor="val_ssim")
    with pytest.raises(ValueError, match="`monitor`.*val_loss.*'val_ssim'"):
        _run(callback, [1.0])


def test_epochs_without_validation_are_left_out():
    """As those of `fit(validation_freq=2)`, and as Keras's own do."""
    losses = [5, 4, 6, 7, 3, 6, 7]
    every = SelfShrinkingSigmoidSlope(patience=2, cooldown=1)
    _run(every, losses)
    callback = SelfShrinkingSigmoidSlope(patience=2, cooldown=1)
    callback.set_model(_model("a"))
    callback.on_train_begin()
    with pytest.warns(UserWarning, match="Epoch 1 had no validation") as found:
        for epoch, loss in enumerate(losses):
            logs = {"loss": 1.0}
            callback.on_epoch_end(2 * epoch, logs)
            assert set(logs) == {"loss", "slope"}
            callback.on_epoch_end(
                2 * epoch + 1, {"loss": 1.0, "val_loss": loss}
            )
    assert sum("no validation" in str(w.message) for w in found) == 1
    callback.on_train_end()
    for name in ("best", "previous", "wait", "cooldown_counter"):
        assert getattr(callback, name) == getattr(every, name)
    slopes = [float(c.model.get_layer("a").slope) for c in (callback, every)]
    assert slopes[0] == slopes[1] > 1


def test_a_monitor_that_never_comes():
    callback = SelfShrinkingSigmoidSlope()
    callback.set_model(_model("a"))
    callback.on_train_begin()
    callback.on_train_end()  # A run that had ended: no epoch is left.
    with pytest.warns(UserWarning, match="no validation"):
        callback.on_epoch_end(0, {"loss": 1.0})
    with pytest.raises(ValueError, match="validation_data.*'val_loss'"):
        callback.on_train_end()
    # No validation will ever bring what is logged in training.
    callback = SelfShrinkingSigmoidSlope("psnr")
    callback.set_model(_model("a"))
    callback.on_train_begin()
    with pytest.raises(ValueError, match=r"one of \['loss'\].*'psnr'"):
        callback.on_epoch_end(0, {"loss": 1.0})


@pytest.mark.parametrize(
    "arguments, match",
    [
        ({"mode": "maximum"}, "`mode`.*'maximum'"),
        ({"factor": 1.0}, "`factor`.*factor=1.0"),
        ({"patience": 0}, "`patience`.*patience=0"),
        ({"cooldown": -1}, "`cooldown`.*cooldown=-1"),
        ({"max_slope": 0}, "`max_slope`.*max_slope=0"),
    ],
)
def test_invalid_arguments(arguments, match):
    with pytest.raises(ValueError, match=match):
        SelfShrinkingSigmoidSlope(**arguments)
