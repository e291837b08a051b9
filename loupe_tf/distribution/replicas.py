import contextlib


class ReplicaError(RuntimeError):
    """A replica that computes wrongly, or a worker that was lost."""


def num_replicas(model):
    """Return the number of devices that train a model together.

    With TensorFlow, these are the replicas of the `tf.distribute.Strategy` in
    whose scope the model was built. With other backends, they are the devices
    of the active `keras.distribution.DataParallel`. The number is 1 if there is
    none.

    Args:
        model: A `keras.Model`.
    """
    import keras

    if keras.backend.backend() == "tensorflow":
        return model.distribute_strategy.num_replicas_in_sync
    distribution = keras.distribution.distribution()
    if isinstance(distribution, keras.distribution.DataParallel):
        return distribution.device_mesh.devices.size
    return 1


def scope_of(model):
    """Return the scope in which a model was built, or an empty context."""
    import keras

    if keras.backend.backend() == "tensorflow":
        return model.distribute_strategy.scope()
    return contextlib.nullcontext()


def is_chief(strategy):
    """Return whether this worker is the first of a multi-worker strategy."""
    resolver = strategy.cluster_resolver
    if resolver.cluster_spec().as_dict().get("chief"):
        return resolver.task_type == "chief"
    return resolver.task_id == 0


def gather_integers(strategy, values):
    """Gather a few integers of each replica, of all workers, as rows.

    The function returns when every worker has reached this point.
    """
    import tensorflow as tf

    row = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant([values], "int64")
    )
    with lost_workers_are_named():
        return strategy.gather(row, axis=0).numpy()


@contextlib.contextmanager
def lost_workers_are_named():
    """Raise a `ReplicaError` if this worker waits for one that was lost."""
    import tensorflow as tf

    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.AbortedError) as error:
        lines = error.message.strip().splitlines()
        reason = next((line for line in lines if "abort" in line), lines[-1])
        raise ReplicaError(
            "Another worker was lost, or ended with an error of its own. Start "
            "all workers again; a run with a backup resumes after the last "
            f"epoch. TensorFlow reports: {reason}"
        ) from error
