import math

import keras

from loupe_tf.callbacks.slopes import slope_layers, slope_logs
from loupe_tf.checks import invalid


class SlopeSchedule(keras.callbacks.Callback):
    """Set the slope of each epoch from a function of the epoch number.

    This is the open-loop counterpart of `SelfShrinkingSigmoidSlope`, for
    comparison. The slope depends only on the epoch number, so a resumed run
    needs no state. The slope is added to the logs.

    Args:
        function: Callable that maps the epoch (integer, from 0) to a positive
            slope, such as the schedules that `constant`, `linear`, `geometric`
            and `cosine` return.
        layers: List of layer names, or `None` for all layers that have a
            variable `slope`.

    Raises:
        ValueError: When training begins, if the model has no slope. Also if
            the function does not return a positive number.

    Example:

    >>> schedule = SlopeSchedule(geometric(20.0, 2000.0, epochs=100))
    >>> history = model.fit(
    ...     images, images, epochs=100, callbacks=[schedule], verbose=0
    ... )
    """

    def __init__(self, function, layers=None):
        super().__init__()
        if not callable(function):
            raise invalid(
                "function", "a callable from epoch to slope", function
            )
        self.function = function
        self.layers = layers

    def on_train_begin(self, logs=None):
        slope_layers(self.model, self.layers)

    def on_epoch_begin(self, epoch, logs=None):
        slope = float(self.function(epoch))
        if not (slope > 0 and math.isfinite(slope)):
            raise invalid(
                "function",
                "a positive slope for every epoch",
                found=f"{slope} for epoch {epoch}",
            )
        for layer in slope_layers(self.model, self.layers):
            layer.slope.assign(slope)

    def on_epoch_end(self, epoch, logs=None):
        if logs is not None:
            logs.update(slope_logs(slope_layers(self.model, self.layers)))


def constant(slope):
    """Return the schedule `s(e) = slope`."""
    return lambda epoch: slope


def linear(start, stop, epochs):
    """Return the linear schedule from `start` to `stop` over `epochs`."""
    return lambda epoch: start + (stop - start) * _progress(epoch, epochs)


def geometric(start, stop, epochs):
    """Return the schedule that grows by the same factor every epoch."""
    return lambda epoch: start * (stop / start) ** _progress(epoch, epochs)


def cosine(start, stop, epochs):
    """Return the half-cosine schedule, which is flat at both ends."""

    def schedule(epoch):
        rise = (1 - math.cos(math.pi * _progress(epoch, epochs))) / 2
        return start + (stop - start) * rise

    return schedule


def _progress(epoch, epochs):
    """Progress of the schedule: 0 at epoch 0, 1 from the last epoch on."""
    return min(1.0, epoch / max(1, epochs - 1))
