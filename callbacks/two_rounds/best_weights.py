import math

import keras

from loupe_tf.records import save_weights


class BestWeights(keras.callbacks.ModelCheckpoint):
    """Saves the weights of the best epoch.

    Epochs without the monitored quantity, and those in which it is not finite,
    are left out: Keras's own callback would save them. It writes all or
    nothing: Keras's writes into the file that it replaces.

    Args:
        path: Path that ends in `.weights.h5`.
        monitor: String, what is monitored.
        mode: `"auto"`, `"min"` or `"max"`.
        best: (Optional) float, the value that is to be improved on.
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
        # A NaN would be the best there is, as long as there is nothing else.
        if math.isfinite((logs or {}).get(self.monitor, math.nan)):
            super().on_epoch_end(epoch, logs)

    def _save_model(self, epoch, batch, logs):
        path = self._get_file_path(epoch, batch, logs)
        if self._should_save_model(epoch, batch, logs, path):
            save_weights(self.model, path)
