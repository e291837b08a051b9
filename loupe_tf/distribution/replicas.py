import contextlib


class ReplicaError(RuntimeError):
    """A replica that computes wrongly, or a worker that was lost."""


def num_replicas(model):
    """Return on how many devices a model is trained at once.

    Args:
        model: A `keras.Model`: of TensorFlow, built inside the scope of a
            `tf.distribute.Strategy` or not; of JAX, trained under the
            `keras.distribution` that is set. 1 in all other cases.
    """
    import keras

    if keras.backend.backend() == "tensorflow":
        return model.distribute_strategy.num_replicas_in_sync
    distribution = keras.distribution.distribution()
    if isinstance(distribution, keras.distribution.DataParallel):
        return distribution.device_mesh.devices.size
    return 1


def scope_of(model):
    """The scope that a model was built in, where there is one."""
    import keras

    if keras.backend.backend() == "tensorflow":
        return model.distribute_strategy.scope()
    return contextlib.nullcontext()


def is_chief(strategy):
    """Whether this worker is the first of a multi-worker strategy."""
    resolver = strategy.cluster_resolver
    if resolver.cluster_spec().as_dict().get("chief"):
        return resolver.task_type == "chief"
    return resolver.task_id == 0


def gather_integers(strategy, values):
    """An array with a row of a few integers for each replica, of all workers.

    Returns when every worker has come to this point.
    """
    import tensorflow as tf

    row = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant([values], "int64")
    )
    with lost_workers_are_named():
        return strategy.gather(row, axis=0).numpy()


@contextlib.contextmanager
def lost_workers_are_named():
    """Turn the error of a worker that waits in vain into a `ReplicaError`."""
    import tensorflow as tf

    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.AbortedError) as error:
        lines = error.message.strip().splitlines()
        reason = next((line for line in lines if "abort" in line), lines[-1])
        raise ReplicaError(
            "Another worker was lost, or ended with an error of its own. Start "
            "all of them again; a run with a backup goes on from the last "
            f"epoch. TensorFlow says: {reason}"
        ) from error
