import keras

from loupe_tf.checks import check_integer, invalid


class CoarseToFine(keras.callbacks.Callback):
    """Lower the level of learned curves, from coarse to fine.

    Layers with a variable `level`, such as `loupe_tf.layers.LearnedPositions`,
    begin at the coarsest of their `levels`. Every `epochs` epochs the level
    falls by 1, until it is 0, the curves themselves. It depends only on the
    epoch number, so a resumed run needs no state. The level is added to the
    logs.

    Args:
        epochs: Integer, number of epochs at each level.

    Raises:
        ValueError: When training begins, if no layer has a level.
    """

    def __init__(self, epochs):
        super().__init__()
        self.epochs = check_integer("epochs", epochs, at_least=1)

    def on_train_begin(self, logs=None):
        if not self._layers():
            raise invalid(
                "model",
                "a layer with a variable named `level`, such as "
                "`loupe_tf.layers.LearnedPositions` with several levels",
                found=f"model '{self.model.name}'",
            )

    def on_epoch_begin(self, epoch, logs=None):
        changed = False
        for layer in self._layers():
            level = max(layer.levels - 1 - epoch // self.epochs, 0)
            layer.level.assign(level)
            changed |= getattr(layer, "constrained_level", level) != level
            layer.constrained_level = level
        if changed and keras.backend.backend() == "jax":
            # A compiled constraint has its level as a constant.
            self.model.make_train_function(force=True)

    def on_epoch_end(self, epoch, logs=None):
        if logs is not None:
            layer = self._layers()[0]
            logs["level"] = int(keras.ops.convert_to_numpy(layer.level))

    def _layers(self):
        return [
            layer
            for layer in self.model._flatten_layers()
            if isinstance(getattr(layer, "level", None), keras.Variable)
        ]
