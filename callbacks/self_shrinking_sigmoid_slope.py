import math
import warnings

import keras
import numpy as np

# The base of Keras's own monitoring callbacks; Keras does not export it.
from keras.src.callbacks.monitor_callback import MonitorCallback

from loupe_tf.callbacks.direction import MODES, direction, set_direction
from loupe_tf.callbacks.slopes import slope_layers, slope_logs, slope_value
from loupe_tf.checks import (
    check_choice,
    check_integer,
    check_number,
    invalid,
)


class SelfShrinkingSigmoidSlope(MonitorCallback):
    """Raise the slope of a relaxed threshold when a metric stops improving.

    4S (Martinini et al., BioCAS 2022): a slope that starts low lets gradients
    through and explores masks; each time the loss stops falling it is raised,
    `s ← min(m·s, max_slope)`, until the relaxed mask is binary.

    `wait` counts the epochs without a new best. At `patience` the slope is
    raised, and a cooldown begins in which `wait` stands still. Losses before
    and after a raise do not compare, so when the cooldown ends the best is set
    to the current loss and `wait` to 0. The paper does not mention the last
    two; its authors' code does them. `cooldown=0, reset_best=False` is the
    bare rule of the paper's text.

    Epochs without validation, of `fit(validation_freq=2)`, do not count: all
    numbers of epochs are of those that have the monitored quantity.

    The slope of each epoch is added to the logs. The counters are saved with
    the model's weights, so that a run that is killed and resumed with
    `BackupAndRestore`, placed last in the list, goes on as if it had not been.

    Args:
        monitor: String. Quantity to be monitored. `"val_loss"` is the loss of
            the binary mask that inference uses. The paper monitors the loss of
            relaxed masks, `"val_relaxed_loss"`, which `MaskValidation` adds.
        factor: Float > 1, m.
        patience: Integer. Epochs without improvement after which the slope is
            raised.
        max_slope: Float. Upper bound of the slope.
        cooldown: Integer. Epochs after a raise in which `wait` stands still.
        exit_cooldown_on_improvement: Boolean. If `True` the first epoch that
            is better than the one before it ends the cooldown.
        reset_best: Boolean. Whether the best becomes the current loss when a
            cooldown ends.
        layers: Which slopes to raise. `None` for all layers that have a
            variable `slope`, together; a list of names; or a list of such
            lists, groups that are taken in turn: the next one when all slopes
            of the one before are at `max_slope` and patience runs out again.
        mode: One of `{"auto", "min", "max"}`: whether the quantity is to fall
            or to rise. `"auto"` is Keras's rule: losses fall, and a metric
            says what it does.
        min_delta: Float. Least change that counts as an improvement.
        verbose: Integer. 0: quiet, 1: update messages.

    Raises:
        ValueError: If an argument is out of range; when training begins, if
            the model has no slope; if the monitored quantity is not among
            those of validation, or never comes; if its direction cannot be
            told.

    Example:

    ```python
    model = loupe_tf.models.loupe_model((320, 320, 1), acceleration=4)
    model.compile(keras.optimizers.Adam(1e-2), loss="mse")
    model.fit(train, validation_data=validation, epochs=1000, callbacks=[
        SelfShrinkingSigmoidSlope(patience=40, factor=1.5),
        keras.callbacks.EarlyStopping(patience=100),
        keras.callbacks.ModelCheckpoint("best.keras", save_best_only=True),
    ])
    ```
    """

    def __init__(
        self,
        monitor="val_loss",
        factor=1.5,
        patience=40,
        max_slope=1e5,
        cooldown=10,
        exit_cooldown_on_improvement=False,
        reset_best=True,
        layers=None,
        mode="auto",
        min_delta=0.0,
        verbose=0,
    ):
        check_choice("mode", mode, MODES)
        super().__init__(monitor, mode, min_delta=min_delta)
        if layers is not None and all(isinstance(n, str) for n in layers):
            layers = [list(layers)]
        self.factor = check_number("factor", factor, above=1)
        self.patience = check_integer("patience", patience, at_least=1)
        self.max_slope = check_number("max_slope", max_slope, above=0)
        self.cooldown = check_integer("cooldown", cooldown, at_least=0)
        self.exit_cooldown_on_improvement = exit_cooldown_on_improvement
        self.reset_best = reset_best
        self.groups = layers or [None]
        self.verbose = verbose
        self._reset()

    def _reset(self):
        self.best = None
        self.previous = None
        self.wait = 0
        self.cooldown_counter = 0
        self.group = 0
        self._skipped = 0

    def set_model(self, model):
        super().set_model(model)
        # Here rather than in `on_train_begin`, which may come after that of
        # `BackupAndRestore`.
        self._reset()
        self.monitor_op = None
        self.min_delta = abs(self.min_delta)
        # Not tracked by Keras, which allows no new layer in a built model, but
        # found by it when weights are saved or loaded.
        object.__setattr__(model, "_slope_state", _State(self))

    def on_train_begin(self, logs=None):
        self._skipped = 0
        for names in self.groups:
            slope_layers(self.model, names)

    def on_epoch_end(self, epoch, logs=None):
        logs = logs if logs is not None else {}
        current = logs.get(self.monitor)
        if current is None:
            self._skip(epoch, logs)
        elif self.monitor_op is None:
            # Delay setup until the model's metrics are all built
            found = direction(self.model, self.monitor, self.mode)
            set_direction(self, found)
        # Through `self.model` every time: with JAX it syncs the variables.
        every = [layer for group in self._layers() for layer in group]
        logs.update(slope_logs(every))
        if current is None:
            return
        current = float(current)
        if self.in_cooldown():
            self.cooldown_counter -= 1
            better = self._is_better(current, self.previous)
            if self.exit_cooldown_on_improvement and better:
                self.cooldown_counter = 0
            if not self.in_cooldown():
                self._end_cooldown(current)
        elif self._is_better(current, self.best):
            self.best = current
            self.wait = 0
        else:
            self.wait += 1
            if self.wait >= self.patience and self._raise_slopes(epoch):
                self.cooldown_counter = self.cooldown
                if not self.in_cooldown():
                    self._end_cooldown(current)
        self.previous = current

    def on_train_end(self, logs=None):
        # A resumed run may have seen it before.
        if self._skipped and self.previous is None:
            raise invalid(
                "monitor",
                f"a quantity that the logs have; none of {self._skipped} "
                "epochs had any of validation, for which `fit` needs "
                "validation_data, and a validation_freq of no more than the "
                "epochs",
                self.monitor,
            )

    def in_cooldown(self):
        return self.cooldown_counter > 0

    def _skip(self, epoch, logs):
        """Refuse, or leave out, an epoch that has no monitored quantity."""
        if "val_loss" in logs or not self.monitor.startswith("val_"):
            raise invalid("monitor", f"one of {list(logs)}", self.monitor)
        if not self._skipped:
            warnings.warn(
                f"Epoch {epoch + 1} had no validation: 4S leaves it out, and "
                f"all others without {self.monitor!r}.",
                stacklevel=2,
            )
        self._skipped += 1

    def _is_better(self, current, reference):
        # A NaN is better than nothing to Keras, and nothing better than a NaN.
        return math.isfinite(current) and bool(
            self._is_improvement(current, reference)
        )

    def _end_cooldown(self, current):
        self.wait = 0
        if self.reset_best:
            self.best = current if math.isfinite(current) else None

    def _layers(self):
        return [slope_layers(self.model, names) for names in self.groups]

    def _raise_slopes(self, epoch):
        """Raise the slopes of the first group that has room; say if any had."""
        groups = self._layers()
        while self.group < len(groups):
            raised = False
            for layer in groups[self.group]:
                old = slope_value(layer)
                new = min(old * self.factor, self.max_slope)
                if new > old:
                    layer.slope.assign(new)
                    raised = True
                    if self.verbose > 0:
                        print(
                            f"\nEpoch {epoch + 1}: SelfShrinkingSigmoidSlope "
                            f"raising slope of {layer.name} to {new:.6g}."
                        )
            if raised:
                return True
            self.group += 1
        self.group = len(groups) - 1
        return False


class _State(keras.layers.Layer):
    """Carries the counters of the callback in the model's weights."""

    def __init__(self, callback):
        super().__init__(name="slope_state")
        self.callback = callback

    def save_own_variables(self, store):
        c = self.callback
        nan = float("nan")
        store["state"] = np.array(
            [
                nan if c.best is None else c.best,
                nan if c.previous is None else c.previous,
                c.wait,
                c.cooldown_counter,
                c.group,
            ],
            "float64",
        )

    def load_own_variables(self, store):
        if "state" not in store.keys():
            return
        c = self.callback
        best, previous, *counters = np.asarray(store["state"])
        c.best = None if np.isnan(best) else float(best)
        c.previous = None if np.isnan(previous) else float(previous)
        c.wait, c.cooldown_counter, c.group = map(int, counters)
