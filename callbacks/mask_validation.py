import keras
import numpy as np

from loupe_tf.callbacks.slopes import slope_value
from loupe_tf.distribution.replicas import scope_of
from loupe_tf.distribution.trainer import trainer_of
from loupe_tf.samplers.with_binarization import with_binarization


class MaskValidation(keras.callbacks.Callback):
    """Validate with another kind of mask than inference uses.

    Adds `val_{binarization}_loss`, and the same for each metric, to the logs
    of each epoch, whatever `validation_freq` of `fit` is: with
    `binarization="relaxed"` the losses that the 4S paper's authors monitor,
    with `"sampled"` or `"threshold"` the gap that their masks leave to the
    mask of exact budget in `val_loss`. Put it before the callback that
    monitors its quantity.

    Args:
        validation_data: A pair `(x, y)` of arrays, or a data set of batches.
        binarization: `"relaxed"`, `"sampled"`, `"threshold"` or `"exact"`; see
            `loupe_tf.layers.ThresholdRandomMask`.
        batch_size: Integer or `None`, for arrays.

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
                # The same noise each time: epochs compare better, and a
                # resumed run sees what one that was not killed would.
                layer.seed_generator.state.assign(np.zeros(2, "uint32"))
        results = self._trainer.evaluate(self.validation_data, self.batch_size)
        for name, value in results.items():
            logs[f"val_{self.binarization}_{name}"] = value
