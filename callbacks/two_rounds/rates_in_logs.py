import keras

from loupe_tf.callbacks.slopes import slope_layers, slope_logs


class RatesInLogs(keras.callbacks.Callback):
    """Adds the learning rate and the slopes to the logs of each epoch."""

    def on_epoch_end(self, epoch, logs=None):
        rate = keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)
        logs["learning_rate"] = float(rate)
        logs.update(slope_logs(slope_layers(self.model, required=False)))
