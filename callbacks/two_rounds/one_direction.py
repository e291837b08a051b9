import keras

from loupe_tf.callbacks.direction import direction, set_direction
from loupe_tf.checks import invalid


class OneDirection(keras.callbacks.Callback):
    """Insists on a monitored quantity, and on one direction of it.

    Keras's own callbacks would only warn where it is absent, and each would
    look for its direction by itself.

    Args:
        monitor: String, what is monitored.
        mode: `"auto"`, `"min"` or `"max"`.
        validation_freq: Integer, epochs from one validation to the next.
        callbacks: List of the callbacks that come after this one. Those that
            monitor the same quantity follow the direction that is found.

    Raises:
        ValueError: If an epoch lacks the quantity, its direction cannot be
            told, or a callback was told the other one.
    """

    def __init__(self, monitor, mode, validation_freq, callbacks):
        super().__init__()
        self.monitor = monitor
        self.mode = mode
        self.validation_freq = validation_freq
        self.callbacks = callbacks

    def on_train_begin(self, logs=None):
        # Several workers build them with the first step.
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
