import math
import warnings

import keras
import numpy as np

# The base class of Keras's own monitoring callbacks; Keras does not export it.
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

    4S (Martinini et al., BioCAS 2022) starts with a low slope, which lets
    gradients through and explores masks. Each time the loss stops falling, 4S
    raises the slope, `s ← min(m·s, max_slope)`, until the relaxed mask is
    binary. The name is the paper's; the width of the sigmoid, about 1/s,
    shrinks.

    `wait` counts the epochs without a new best. When it reaches `patience`,
    the slope is raised and a cooldown begins, during which `wait` does not
    change. Losses before and after a raise are not comparable, so at the end
    of the cooldown the best becomes the current loss and `wait` becomes 0. The
    cooldown and the reset are not in the paper, but its authors' code has
    them. `cooldown=0, reset_best=False` is the rule of the paper's text.

    Epochs without validation, as with `fit(validation_freq=2)`, do not count:
    all numbers of epochs refer to epochs that have the monitored quantity.

    The slope of each epoch is added to the logs. The counters are saved with
    the model's weights. So a killed run that resumes with `BackupAndRestore`,
    placed last in the list, continues like an uninterrupted one.

    Args:
        monitor: String. Quantity to be monitored. `"val_loss"` is the loss of
            the binary mask that inference uses. The paper monitors the loss of
            relaxed masks, `"val_relaxed_loss"`, which `MaskValidation` adds.
        factor: Float > 1, m.
        patience: Integer. Epochs without improvement after which the slope is
            raised.
        max_slope: Float. Upper bound of the slope.
        cooldown: Integer. Epochs after a raise during which `wait` does not
            change.
        exit_cooldown_on_improvement: Boolean. If `True`, the first epoch that
            is better than the one before it ends the cooldown.
        reset_best: Boolean. Whether the best becomes the current loss when a
            cooldown ends.
        layers: Which slopes to raise. `None` raises the slopes of all layers
            that have a variable `slope` together. A list of names selects
            layers. A list of such lists defines groups to raise in turn: the
            next group starts when all slopes of the current one are at
            `max_slope` and patience runs out again.
        mode: One of `{"auto", "min", "max"}`: whether the quantity should fall
            or rise. `"auto"` follows Keras: losses should fall, and a metric
            states its direction.
        min_delta: Float. Smallest change that counts as an improvement.
        verbose: Integer. 0: quiet, 1: update messages.

    Raises:
        ValueError: If an argument is out of range, if the model has no slope
            when training begins, if validation does not give the monitored
            quantity or it never appears, or if its direction is unknown.

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
        # Reset here, because `on_train_begin` may run after that of
        # `BackupAndRestore`.
        self._reset()
        self.monitor_op = None
        self.min_delta = abs(self.min_delta)
        # Bypass Keras's tracking, which allows no new layer in a built model.
        # Keras still finds the attribute when it saves or loads weights.
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
        # Read through `self.model` every time: on JAX this syncs variables.
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
        # A resumed run may have seen the quantity before.
        if self._skipped and self.previous is None:
            raise invalid(
                "monitor",
                f"a quantity in the logs; none of the {self._skipped} epochs "
                "had validation, for which `fit` needs validation_data, and "
                "a validation_freq no larger than the number of epochs",
                self.monitor,
            )

    def in_cooldown(self):
        return self.cooldown_counter > 0

    def _skip(self, epoch, logs):
        """Reject or skip an epoch that lacks the monitored quantity."""
        if "val_loss" in logs or not self.monitor.startswith("val_"):
            raise invalid("monitor", f"one of {list(logs)}", self.monitor)
        if not self._skipped:
            warnings.warn(
                f"Epoch {epoch + 1} had no validation: 4S skips it and all "
                f"other epochs without {self.monitor!r}.",
                stacklevel=2,
            )
        self._skipped += 1

    def _is_better(self, current, reference):
        # Keras prefers NaN to no value, and then no value is better than NaN.
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
        """Raise the slopes of the first group below the maximum, if any.

        Returns:
            Boolean, whether a slope was raised.
        """
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
    """Stores the counters of the callback in the model's weights."""

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
