"""A slope that the gap between relaxed and binary masks drives."""

import math

import keras

from loupe_tf.callbacks.slopes import slope_layers, slope_logs, slope_value


class GapSlope(keras.callbacks.Callback):
    """Raise the slope while relaxed masks are worth more than binary ones.

    After each epoch the validation loss of relaxed masks, which
    `loupe_tf.callbacks.MaskValidation` adds, is compared with that of the mask
    of exact budget. Where the gap in PSNR is above `gap` the network lives on
    what binary masks do not have, and the slope is raised.

    Args:
        gap: Float, in dB.
        factor: Float > 1, by which the slope is raised.
        max_slope: Float, its upper bound.
    """

    def __init__(self, gap, factor, max_slope=1e5):
        super().__init__()
        self.gap = gap
        self.factor = factor
        self.max_slope = max_slope

    def on_epoch_end(self, epoch, logs=None):
        exact, relaxed = logs["val_loss"], logs["val_relaxed_loss"]
        layers = slope_layers(self.model, None)
        logs.update(slope_logs(layers))
        if 10 * math.log10(exact / relaxed) > self.gap:
            for layer in layers:
                slope = slope_value(layer) * self.factor
                layer.slope.assign(min(slope, self.max_slope))
