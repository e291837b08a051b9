import keras
import numpy as np

from loupe_tf.callbacks.shuffled_batches import ShuffledBatches
from loupe_tf.checks import invalid


class Feed:
    """What the rounds are fed with: arrays checked, shared out and shuffled.

    Args:
        train, validation_data: As those of `fit_two_rounds`.
        batch_size: Integer, for arrays; that of all devices together.
        seed: Integer, of the order of the batches.
        replicas: Integer, how many devices share each batch.

    Attributes:
        batches: What `fit` trains on.
        validation_data: What `fit` validates with.
        validation_batch_size: Integer, or `None` for a data set.
        callbacks: List of the callbacks that the batches need.
        fingerprint: What tells one set of training arrays from another, a
            value that JSON can store; `None` for a data set.

    Raises:
        ValueError: If arrays are not finite floats, or of different lengths,
            or cannot be shared out evenly.
    """

    def __init__(self, train, validation_data, batch_size, seed, replicas):
        validation_data = _pair("validation_data", validation_data)
        train = _pair("train", train)
        if replicas > 1:
            _check_shares(train, validation_data, batch_size, replicas)
            validation_data = _even(validation_data, replicas)
        if isinstance(train, tuple):
            train = ShuffledBatches(
                *train, batch_size, seed, drop_remainder=replicas > 1
            )
        is_arrays = isinstance(validation_data, tuple)
        self.batches = _for_fit(train)
        self.validation_data = _for_fit(validation_data)
        self.validation_batch_size = batch_size if is_arrays else None
        self.callbacks = []
        if hasattr(train, "callback"):
            self.callbacks.append(train.callback())
        self.fingerprint = _fingerprint(train)


def _pair(name, data):
    """Make `(x, y)` of arrays; leave data sets as they are."""
    if hasattr(data, "dtype") and hasattr(data, "shape"):
        data = (data, data)
    if not isinstance(data, tuple | list):
        return data
    x, y = data
    if isinstance(x, list):
        x = tuple(x)  # A list would be one tensor to tf.data.
    pair = keras.tree.map_structure(np.asarray, (x, y))
    arrays = keras.tree.flatten(pair)
    lengths = [len(array) for array in arrays]
    if len(set(lengths)) > 1:
        raise invalid(
            name,
            "as many examples in all arrays",
            found=f"{lengths} examples",
        )
    for array in arrays:
        # An index picks masks, beside the images.
        is_index = np.issubdtype(array.dtype, np.integer) and len(arrays) > 2
        if not is_index:
            _check_finite(name, array)
    return pair


def _check_finite(name, array):
    if not np.issubdtype(array.dtype, np.floating):
        raise invalid(
            name,
            "floating-point arrays (complex images as two channels, real and "
            "imaginary)",
            found=f"dtype={array.dtype}",
        )
    finite = np.isfinite(array).reshape(len(array), -1).all(axis=1)
    if not finite.all():
        raise invalid(
            name,
            "finite numbers",
            found="NaN or infinity in examples "
            f"{np.flatnonzero(~finite)[:10].tolist()}",
        )


def _check_shares(train, validation_data, batch_size, replicas):
    """Refuse what several devices cannot share evenly."""
    is_arrays = isinstance(train, tuple)
    if is_arrays or isinstance(validation_data, tuple):
        if batch_size % replicas:
            raise invalid(
                "batch_size",
                f"a number that the number of replicas, {replicas}, divides",
                batch_size,
            )
    if is_arrays and len(train[1]) < batch_size:
        raise invalid(
            "train",
            f"enough examples for a batch of {batch_size}, which several "
            "devices share",
            found=f"{len(train[1])} examples",
        )


def _even(validation_data, replicas):
    """Leave out examples of arrays so that the devices get equally many."""
    if not isinstance(validation_data, tuple):
        return validation_data
    examples = len(validation_data[1])
    size = examples // replicas * replicas
    if size == 0:
        raise invalid(
            "validation_data",
            f"an example for each of {replicas} replicas at least",
            found=f"{examples} examples",
        )
    return keras.tree.map_structure(lambda array: array[:size], validation_data)


def _for_fit(data):
    """What `fit` takes: TensorFlow is given no `PyDataset`, if we can help."""
    is_tensorflow = keras.backend.backend() == "tensorflow"
    if is_tensorflow and isinstance(data, ShuffledBatches):
        return data.to_tf_dataset()
    return data


def _fingerprint(train):
    if not isinstance(train, ShuffledBatches):
        return None
    prints = [
        [list(array.shape), float(np.sum(array, dtype="float64"))]
        for array in keras.tree.flatten(train.x)
    ]
    return prints[0] if len(prints) == 1 else prints
