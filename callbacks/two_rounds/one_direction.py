import keras

from loupe_tf.callbacks.direction import direction, set_direction
from loupe_tf.checks import invalid


class OneDirection(keras.callbacks.Callback):
    """Requires a monitored quantity, and one direction for all callbacks.

    Keras's own callbacks only warn if the quantity is missing, and each
    determines its direction separately.

    Args:
        monitor: String, the quantity to monitor.
        mode: `"auto"`, `"min"` or `"max"`.
        validation_freq: Integer, number of epochs between validations.
        callbacks: List of the callbacks that come after this one. Callbacks
            that monitor the same quantity get the same direction.

    Raises:
        ValueError: If an epoch lacks the quantity, if its direction is
            unknown, or if a callback was given the opposite direction.
    """

    def __init__(self, monitor, mode, validation_freq, callbacks):
        super().__init__()
        self.monitor = monitor
        self.mode = mode
        self.validation_freq = validation_freq
        self.callbacks = callbacks

    def on_train_begin(self, logs=None):
        # With several workers, the first step builds the metrics.
        if all(getattr(m, "built", True) for m in self.model.metrics):
            self._agree()

    def on_epoch_end(self, epoch, logs=None):
        validated = (epoch + 1) % self.validation_freq == 0
        if self.monitor in logs:
            self._agree()
        elif validated or not self.monitor.startswith("val_"):
            raise invalid("monitor", f"one of {list(logs)}", self.monitor)

    def _agree(self):
        mode = direction(self.model, self.monitor, self.mode)
        for callback in self.callbacks:
            if getattr(callback, "monitor", None) == self.monitor:
                set_direction(callback, mode)
