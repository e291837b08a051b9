import time

import keras


class EpochSeconds(keras.callbacks.Callback):
    """Measures the time of the training steps of each epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        self.begin = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.seconds = (time.perf_counter() - self.begin) / (batch + 1)
