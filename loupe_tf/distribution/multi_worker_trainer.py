import zlib

import numpy as np

from loupe_tf.checks import invalid
from loupe_tf.distribution.replicas import (
    ReplicaError,
    gather_integers,
    is_chief,
    lost_workers_are_named,
)


class MultiWorkerTrainer:
    """`fit` and `evaluate` under `tf.distribute.MultiWorkerMirroredStrategy`.

    `model.fit` fails under that strategy in Keras 3.15 (keras#20585). This
    class does the same with public functions: it runs the model's own
    `train_step` and `test_step` on all replicas, with the usual callbacks,
    losses, metrics and logs. Every worker runs every callback on the same logs,
    so all workers stop, or change the slope, at the same epoch.
    `fit_two_rounds` and `MaskValidation` use this class automatically.

    Data sets yield global batches, the same ones in the same order on every
    worker (shuffle with a seed). Each replica takes its share, so all replicas
    together see the batches that one device would have seen. A
    `tf.distribute.DistributedDataset` is used unchanged.

    Callbacks on different workers must not write to the same file: use another
    path on all workers but the chief (`is_chief`).

    Args:
        model: A compiled `keras.Model`, built and compiled inside the scope of
            the strategy.

    Attributes:
        is_chief: Boolean. Whether this worker is the first, which writes files.

    Example:

    ```python
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    with strategy.scope():
        model = loupe_tf.models.loupe_model((320, 320, 1), acceleration=4)
        model.compile(keras.optimizers.Adam(1e-2), loss="mse")
    trainer = loupe_tf.distribution.MultiWorkerTrainer(model)
    trainer.fit(train, validation_data=validation, epochs=100)
    ```
    """

    def __init__(self, model):
        self.model = model
        self.strategy = model.distribute_strategy
        self.is_chief = is_chief(self.strategy)
        self._train_step = self._on_replicas(model.train_step)
        self._test_step = self._on_replicas(model.test_step)

    def fit(
        self,
        train,
        validation_data=None,
        epochs=1,
        callbacks=(),
        initial_epoch=0,
        validation_batch_size=None,
        validation_freq=1,
        verbose="auto",
    ):
        """Train the model, as `model.fit` does.

        Args:
            train: Data set of batches `(x, y)` or `(x, y, sample_weight)`: a
                `keras.utils.PyDataset`, a `tf.data.Dataset`, or a
                `tf.distribute.DistributedDataset`. The number of replicas must
                divide the size of every batch.
            validation_data: Data set like `train`, or a pair of arrays. The
                shares of a validation batch may differ by one example. A last
                batch with fewer examples than replicas is left out.
            epochs, callbacks, initial_epoch: As in `model.fit`.
            validation_batch_size, validation_freq, verbose: As in `model.fit`.

        Returns:
            A `keras.callbacks.History`.

        Raises:
            ValueError: If a training batch cannot be divided evenly.
            ReplicaError: If workers start with different weights or epochs, or
                if a worker was lost. This is a `RuntimeError`.
        """
        import keras

        model = self.model
        callbacks = keras.callbacks.CallbackList(
            list(callbacks),
            add_history=True,
            add_progbar=verbose != 0,
            model=model,
            verbose=1 if verbose == "auto" else verbose,
            epochs=epochs,
            steps=_length(train),
        )
        with self.strategy.scope():
            if not model.optimizer.built:
                model.optimizer.build(model.trainable_variables)
        model.stop_training = False
        logs = None
        with lost_workers_are_named():
            callbacks.on_train_begin()
            # `BackupAndRestore`, Keras's and ours, sets this to resume a run.
            initial_epoch = model._initial_epoch or initial_epoch
            self._check_same_state(initial_epoch)
            for epoch in range(initial_epoch, epochs):
                model.reset_metrics()
                callbacks.on_epoch_begin(epoch)
                for step, batch in enumerate(self._shares(train, even=True)):
                    callbacks.on_train_batch_begin(step)
                    callbacks.on_train_batch_end(step, self._train_step(batch))
                    if model.stop_training:
                        break
                logs = _floats(model.get_metrics_result())
                is_due = (epoch + 1) % validation_freq == 0
                if validation_data is not None and is_due:
                    results = self.evaluate(
                        validation_data,
                        batch_size=validation_batch_size,
                        callbacks=callbacks,
                    )
                    logs |= {f"val_{k}": v for k, v in results.items()}
                callbacks.on_epoch_end(epoch, logs)
                if model.stop_training:
                    break
        model.optimizer.finalize_variable_values(model.trainable_variables)
        callbacks.on_train_end(logs)
        return model.history

    def evaluate(self, data, batch_size=None, callbacks=None):
        """Return the loss and the metrics, as `model.evaluate` does.

        Args:
            data: As `validation_data` of `fit`.
            batch_size: Integer, batch size for arrays. `None` means 32.
            callbacks: List of callbacks, or a `keras.callbacks.CallbackList`.
        """
        import keras

        if not isinstance(callbacks, keras.callbacks.CallbackList):
            callbacks = keras.callbacks.CallbackList(
                callbacks, model=self.model
            )
        if isinstance(data, tuple | list):
            data = _batches(data, batch_size or 32)
        with lost_workers_are_named():
            self.model.reset_metrics()
            callbacks.on_test_begin()
            for step, batch in enumerate(self._shares(data, even=False)):
                callbacks.on_test_batch_begin(step)
                callbacks.on_test_batch_end(step, self._test_step(batch))
            logs = _floats(self.model.get_metrics_result())
            callbacks.on_test_end(logs)
        return logs

    def wait_for_all(self):
        """Wait until every worker has reached this point."""
        gather_integers(self.strategy, [0])

    def _on_replicas(self, step):
        """Return a function that runs a step on all replicas.

        It returns the logs of the step, averaged over replicas.
        """
        import tensorflow as tf

        names = []

        def on_one(batch):
            logs = step(batch)
            names[:] = logs
            # One tensor for all logs needs only one message.
            return tf.stack([tf.cast(v, "float32") for v in logs.values()])

        def on_all(batch):
            values = self.strategy.run(on_one, args=(batch,))
            return self.strategy.reduce("MEAN", values, axis=None)

        if not self.model.run_eagerly:
            on_all = tf.function(on_all, reduce_retracing=True)
        return lambda batch: dict(zip(names, on_all(batch).numpy().tolist()))

    def _shares(self, data, even):
        """Yield each batch in shares, one for each replica."""
        import keras
        import tensorflow as tf

        if isinstance(data, tf.distribute.DistributedDataset):
            yield from data
            return
        if isinstance(data, keras.utils.PyDataset):
            data = map(data.__getitem__, range(len(data)))
        replicas = self.strategy.num_replicas_in_sync
        for batch in data:
            size = len(keras.tree.flatten(batch)[0])
            if even and size % replicas:
                raise invalid(
                    "train",
                    f"batches of a size that the number of replicas, "
                    f"{replicas}, divides, for instance by "
                    "`drop_remainder=True`",
                    found=f"{size} examples",
                )
            if size < replicas:
                return

            def share(context, batch=batch, size=size):
                replica = context.replica_id_in_sync_group
                begin = size * replica // replicas
                end = size * (replica + 1) // replicas
                return keras.tree.map_structure(
                    lambda x: tf.convert_to_tensor(x[begin:end]), batch
                )

            yield self.strategy.experimental_distribute_values_from_function(
                share
            )

    def _check_same_state(self, epoch):
        """Refuse to start if the workers have different epochs or weights."""
        checksum = 0
        for value in self.model.get_weights():
            checksum = zlib.crc32(np.ascontiguousarray(value), checksum)
        states = gather_integers(self.strategy, [epoch, checksum])
        if (states != states[0]).any():
            raise ReplicaError(
                "Expected all workers to begin at the same epoch with the "
                "same weights. Received: (epoch, checksum of the weights) of "
                f"each replica: {states.tolist()}. Check that all workers can "
                "read the backup folder"
            )


def _batches(arrays, batch_size):
    import keras

    for begin in range(0, len(keras.tree.flatten(arrays)[0]), batch_size):
        yield keras.tree.map_structure(
            lambda array, rows=slice(begin, begin + batch_size): array[rows],
            arrays,
        )


def _length(data):
    """Return the number of batches, or `None` if it is not known."""
    try:
        return len(data)
    except TypeError:
        return None


def _floats(logs):
    return {name: float(value) for name, value in logs.items()}
