"""A slope that follows the gap between relaxed and binary masks."""

import math

import keras

from loupe_tf.callbacks.slopes import slope_layers, slope_logs, slope_value


class GapSlope(keras.callbacks.Callback):
    """Raise the slope while relaxed masks give a better loss than binary ones.

    After each epoch this callback compares the validation loss of relaxed
    masks, which `loupe_tf.callbacks.MaskValidation` adds, with the loss of the
    exact-budget mask. If the gap in PSNR is above `gap`, the network depends on
    samples that a binary mask does not pass, and the slope is raised.

    Args:
        gap: Float, in dB.
        factor: Float > 1, the factor by which to raise the slope.
        max_slope: Float, upper bound of the slope.
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
