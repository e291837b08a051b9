import math

import keras

from loupe_tf.records import save_weights


class BestWeights(keras.callbacks.ModelCheckpoint):
    """Saves the weights of the best epoch.

    It differs from Keras's `ModelCheckpoint` in two ways. It skips epochs in
    which the monitored quantity is missing or not finite. And it replaces the
    file only when the new one is complete.

    Args:
        path: Path that ends in `.weights.h5`.
        monitor: String, the quantity to monitor.
        mode: `"auto"`, `"min"` or `"max"`.
        best: (Optional) float, the value to improve on.
    """

    def __init__(self, path, monitor, mode="auto", best=None):
        super().__init__(
            path,
            monitor=monitor,
            mode=mode,
            save_best_only=True,
            save_weights_only=True,
            initial_value_threshold=best,
        )

    def on_epoch_end(self, epoch, logs=None):
        # Keras would take a NaN as the best value if there was none before.
        if math.isfinite((logs or {}).get(self.monitor, math.nan)):
            super().on_epoch_end(epoch, logs)

    def _save_model(self, epoch, batch, logs):
        path = self._get_file_path(epoch, batch, logs)
        if self._should_save_model(epoch, batch, logs, path):
            save_weights(self.model, path)
