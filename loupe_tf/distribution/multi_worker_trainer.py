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
    does what it would do with public means: the model's own `train_step` and
    `test_step` run on all replicas, and the same callbacks, losses, metrics
    and logs see the result. Every worker runs every callback on the same logs,
    so that all of them stop, or change the slope, at the same epoch.
    `fit_two_rounds` and `MaskValidation` use it by themselves.

    Data sets yield global batches, the same ones in the same order on every
    worker (shuffle with a seed): each replica takes its share, so that two
    replicas see what one device would have seen. A
    `tf.distribute.DistributedDataset` is used as it is.

    Callbacks that write files must not do so at the same place on all workers:
    give those of all but the chief (`is_chief`) another path.

    Args:
        model: A compiled `keras.Model`, built and compiled inside the scope of
            the strategy.

    Attributes:
        is_chief: Whether this worker is the first, the one that writes files.

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
            validation_data: The same, or a pair of arrays. Here the shares of
                a batch may differ by one example; a last batch of fewer
                examples than there are replicas is left out.
            epochs, callbacks, initial_epoch: As in `model.fit`.
            validation_batch_size, validation_freq, verbose: As there.

        Returns:
            A `keras.callbacks.History`.

        Raises:
            ValueError: If a training batch cannot be shared out evenly.
            ReplicaError: A `RuntimeError`, if workers begin with other weights
                or at another epoch than the others, or one of them was lost.
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
            # Where `BackupAndRestore`, Keras's and ours, says to go on.
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
            batch_size: Integer, for arrays; 32 if it is `None`.
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
        """Return when every worker has come to this point."""
        gather_integers(self.strategy, [0])

    def _on_replicas(self, step):
        """Run a step on all replicas; return the mean of what it logs."""
        import tensorflow as tf

        names = []

        def on_one(batch):
            logs = step(batch)
            names[:] = logs
            # One tensor, and so one message, for all of them.
            return tf.stack([tf.cast(v, "float32") for v in logs.values()])

        def on_all(batch):
            values = self.strategy.run(on_one, args=(batch,))
            return self.strategy.reduce("MEAN", values, axis=None)

        if not self.model.run_eagerly:
            on_all = tf.function(on_all, reduce_retracing=True)
        return lambda batch: dict(zip(names, on_all(batch).numpy().tolist()))

    def _shares(self, data, even):
        """Yield each batch in shares, one a replica."""
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
                    f"{replicas}, divides, such as `drop_remainder=True` makes",
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
        """Workers that differ would wait for each other, or average apart."""
        checksum = 0
        for value in self.model.get_weights():
            checksum = zlib.crc32(np.ascontiguousarray(value), checksum)
        states = gather_integers(self.strategy, [epoch, checksum])
        if (states != states[0]).any():
            raise ReplicaError(
                "Expected all workers to begin at the same epoch with the "
                "same weights. Received: (epoch, checksum of the weights) of "
                f"each replica: {states.tolist()}. Can all workers read the "
                "folder of the backups?"
            )


def _batches(arrays, batch_size):
    import keras

    for begin in range(0, len(keras.tree.flatten(arrays)[0]), batch_size):
        yield keras.tree.map_structure(
            lambda array, rows=slice(begin, begin + batch_size): array[rows],
            arrays,
        )


def _length(data):
    """The number of batches, where it is known."""
    try:
        return len(data)
    except TypeError:
        return None


def _floats(logs):
    return {name: float(value) for name, value in logs.items()}
