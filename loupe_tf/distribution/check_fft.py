import numpy as np

from loupe_tf.distribution.replicas import ReplicaError

# Correct float32 transforms have so far differed by at most 1e-6.
TOLERANCE = 1e-4


def check_fft(size=(64, 64), strategy=None, repeats=3):
    """Compare the Fourier transform of each device with NumPy's.

    Several GPUs under `tf.distribute.MirroredStrategy` have been reported to
    return garbage from the FFT at times, without an error (tensorflow#60926).
    A mask learned from such data is worthless, so call this function before
    training. In a compiled function, all devices transform their own images at
    the same time, several times. This takes well under a second.

    Args:
        size: Tuple `(H, W)`, the size of the training images.
        strategy: A `tf.distribute.Strategy`, or `None` for the one whose scope
            is active. Other backends ignore it: on JAX, the devices are those
            of the active `keras.distribution.DataParallel`.
        repeats: Integer, number of repetitions.

    Returns:
        A dictionary from the index of a replica to the largest error of
        `fourier.fft2` and `fourier.ifft2`, relative to the largest value of
        the result. Each of several workers checks its own replicas.

    Raises:
        ReplicaError: If the error of a replica is above 1e-4. This is a
            `RuntimeError` that names the replica and the error.

    Example:

    >>> strategy = tf.distribute.MirroredStrategy()
    >>> loupe_tf.distribution.check_fft((320, 320), strategy)
    {0: ...}
    """
    import keras

    run = {"tensorflow": _run_tensorflow, "jax": _run_jax}.get(
        keras.backend.backend(), _run_here
    )
    errors = {}
    for replica, results in run(tuple(size), strategy, repeats):
        expected = _expected(_images(size, replica))
        error = max(map(_relative_error, results, expected))
        if not error <= TOLERANCE:
            raise ReplicaError(
                f"Replica {replica} computes wrong Fourier transforms of "
                f"{size[0]}×{size[1]} images. Expected those of NumPy to a "
                f"relative error of {TOLERANCE:g}. Received: relative error "
                f"{error:.2g}. Train on one device, or with other versions of "
                "the driver and TensorFlow (tensorflow#60926)"
            )
        errors[replica] = max(error, errors.get(replica, 0.0))
    return errors


def _images(size, replica):
    """Make images `(2, H, W, 2)` that no other replica has."""
    shape = (2, *size, 2)
    return np.random.default_rng(replica).normal(size=shape).astype("float32")


def _expected(images):
    images = images[..., 0] + 1j * images[..., 1]
    yield np.fft.fft2(images, norm="ortho")
    yield np.fft.ifft2(images, norm="ortho")


def _relative_error(result, expected):
    result = np.asarray(result, "float64")
    result = result[..., 0] + 1j * result[..., 1]
    return float(np.abs(result - expected).max() / np.abs(expected).max())


def _both(images):
    from loupe_tf import fourier

    return fourier.fft2(images), fourier.ifft2(images)


def _run_tensorflow(size, strategy, repeats):
    """Yield index and results of each replica of this process, repeatedly."""
    import tensorflow as tf

    strategy = strategy or tf.distribute.get_strategy()
    own = []

    def images_of(context):
        own.append(context.replica_id_in_sync_group)
        return tf.constant(_images(size, own[-1]))

    images = strategy.experimental_distribute_values_from_function(images_of)
    function = tf.function(lambda x: strategy.run(_both, args=(x,)))
    for _ in range(repeats):
        results = map(strategy.experimental_local_results, function(images))
        for replica, *of_one in zip(own, *results):
            yield replica, [x.numpy() for x in of_one]


def _run_jax(size, _, repeats):
    """Do the same for the devices of the active distribution, or for one."""
    import jax
    import keras

    distribution = keras.distribution.distribution()
    if not isinstance(distribution, keras.distribution.DataParallel):
        yield from _run_here(size, _, repeats)
        return
    mesh = distribution.device_mesh
    layout = keras.distribution.TensorLayout(
        [distribution.batch_dim_name, None, None, None], mesh
    )
    images = [_images(size, i) for i in range(mesh.devices.size)]
    images = keras.distribution.distribute_tensor(
        np.concatenate(images), layout
    )
    function = jax.jit(_both)
    for _ in range(repeats):
        results = [x.addressable_shards for x in function(images)]
        for of_one in zip(*results):
            replica = of_one[0].index[0].indices(len(images))[0] // 2
            yield replica, [x.data for x in of_one]


def _run_here(size, _, repeats):
    """Do the same for the one device that Keras uses."""
    import keras

    images = keras.ops.convert_to_tensor(_images(size, 0))
    for _ in range(repeats):
        yield 0, [keras.ops.convert_to_numpy(x) for x in _both(images)]
