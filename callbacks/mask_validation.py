import keras
import numpy as np

from loupe_tf.callbacks.slopes import slope_value
from loupe_tf.distribution.replicas import scope_of
from loupe_tf.distribution.trainer import trainer_of
from loupe_tf.samplers.with_binarization import with_binarization


class MaskValidation(keras.callbacks.Callback):
    """Validate with a different kind of mask from the one used at inference.

    This callback adds `val_{binarization}_loss`, and the same for each metric,
    to the logs of every epoch, whatever the `validation_freq` of `fit`.
    `binarization="relaxed"` gives the losses that the 4S paper's authors
    monitor. `"sampled"` and `"threshold"` show how those masks differ from the
    exact-budget mask of `val_loss`. Place this callback before the one that
    monitors the added quantity.

    Args:
        validation_data: A pair `(x, y)` of arrays, or a data set of batches.
        binarization: `"relaxed"`, `"sampled"`, `"threshold"` or `"exact"`; see
            `loupe_tf.layers.ThresholdRandomMask`.
        batch_size: Integer or `None`, the batch size for arrays.

    Raises:
        ValueError: When training begins, if the model learns no mask.
    """

    def __init__(
        self, validation_data, binarization="relaxed", batch_size=None
    ):
        super().__init__()
        self.validation_data = validation_data
        self.binarization = binarization
        self.batch_size = batch_size

    def on_train_begin(self, logs=None):
        with scope_of(self.model):
            self._twin = with_binarization(self.model, self.binarization)
        self._trainer = trainer_of(self._twin)

    def on_epoch_end(self, epoch, logs=None):
        for layer in self._twin.layers:
            own = self.model.get_layer(layer.name)
            if own is not layer and layer.weights:
                layer.slope.assign(slope_value(own))
                # Use the same noise in every epoch: epochs are comparable, and
                # a resumed run gets the values of an uninterrupted one.
                layer.seed_generator.state.assign(np.zeros(2, "uint32"))
        results = self._trainer.evaluate(self.validation_data, self.batch_size)
        for name, value in results.items():
            logs[f"val_{self.binarization}_{name}"] = value
