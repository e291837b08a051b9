import warnings

import keras

from loupe_tf.checks import check_integer, check_number


class CollapseAlarm(keras.callbacks.Callback):
    """Warn when a reconstruction loses its energy, and stop if asked.

    Training without true images can lower its loss while the images fade to a
    constant one. `loupe_tf.regimes.Distillation` logs the energy of held-out
    samples in the reconstruction, relative to the measured energy. This
    callback adds `collapsed` to the logs, 1 or 0, and warns once.

    Args:
        monitor: String, the log to watch.
        below: Float, the alarm is raised if the log is lower than this, or NaN.
        after: Integer ≥ 0, the epochs before the first alarm. A network that
            begins at the zero-filled image has to learn to fill in energy.
        stop: Boolean. Whether to stop training.

    Attributes:
        alarmed_at: The epoch of the first alarm, or `None`.

    Example:

    >>> alarm = loupe_tf.callbacks.CollapseAlarm(stop=True)
    """

    def __init__(self, monitor="energy_ratio", below=0.5, after=5, stop=False):
        super().__init__()
        self.monitor = monitor
        self.below = check_number("below", below)
        self.after = check_integer("after", after, at_least=0)
        self.stop = stop
        self.alarmed_at = None

    def on_train_begin(self, logs=None):
        self.alarmed_at = None

    def on_epoch_end(self, epoch, logs=None):
        logs = {} if logs is None else logs
        if self.monitor not in logs:
            raise ValueError(
                "Invalid value for argument `monitor`. Expected one of the "
                f"logs {sorted(logs)}. Received: monitor={self.monitor!r}"
            )
        value = logs[self.monitor]
        # Not `value < below`, which NaN would pass.
        collapsed = epoch >= self.after and not value >= self.below
        logs["collapsed"] = float(collapsed)
        if not collapsed:
            return
        if self.alarmed_at is None:
            self.alarmed_at = epoch
            warnings.warn(
                f"The reconstruction may have collapsed: {self.monitor} is "
                f"{value:.3g} in epoch {epoch}, below {self.below:g}.",
                stacklevel=2,
            )
        if self.stop:
            self.model.stop_training = True
