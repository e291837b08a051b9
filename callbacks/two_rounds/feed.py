import keras
import numpy as np

from loupe_tf.callbacks.shuffled_batches import ShuffledBatches
from loupe_tf.checks import check_finite, invalid


class Feed:
    """The data of both rounds: arrays checked, shuffled and split evenly.

    Args:
        train, validation_data: As for `fit_two_rounds`.
        batch_size: Integer, the global batch size for arrays.
        seed: Integer, for the order of the batches.
        replicas: Integer, the number of devices that share each batch.

    Attributes:
        batches: The training data for `fit`.
        validation_data: The validation data for `fit`.
        validation_batch_size: Integer, or `None` for a data set.
        callbacks: List of the callbacks that the batches need.
        fingerprint: JSON value that identifies the training arrays; `None` for
            a data set.

    Raises:
        ValueError: If arrays are not finite floats, have different lengths or
            cannot be split evenly, or if `ShuffledBatches` have no batch.
    """

    def __init__(self, train, validation_data, batch_size, seed, replicas):
        validation_data = _pair("validation_data", validation_data)
        train = _pair("train", train)
        if replicas > 1:
            _check_shares(train, validation_data, batch_size, replicas)
            validation_data = _even(validation_data, replicas)
        _check_batches("train", train)
        _check_batches("validation_data", validation_data)
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
    """Turn arrays into `(x, y)`; return data sets unchanged."""
    if hasattr(data, "dtype") and hasattr(data, "shape"):
        data = (data, data)
    if not isinstance(data, tuple | list):
        return data
    x, y = data
    if isinstance(x, list):
        x = tuple(x)  # tf.data would turn a list into one tensor.
    pair = keras.tree.map_structure(np.asarray, (x, y))
    arrays = keras.tree.flatten(pair)
    lengths = [len(array) for array in arrays]
    if len(set(lengths)) > 1:
        raise invalid(
            name,
            "the same number of examples in all arrays",
            found=f"{lengths} examples",
        )
    for array in arrays:
        # Integer inputs next to the images select masks.
        is_index = np.issubdtype(array.dtype, np.integer) and len(arrays) > 2
        if not is_index:
            _check_floats(name, array)
    return pair


def _check_floats(name, array):
    if not np.issubdtype(array.dtype, np.floating):
        raise invalid(
            name,
            "floating-point arrays (complex images as two channels, real and "
            "imaginary)",
            found=f"dtype={array.dtype}",
        )
    check_finite(name, array)


def _check_shares(train, validation_data, batch_size, replicas):
    """Reject data that several devices cannot share evenly."""
    is_arrays = isinstance(train, tuple)
    if is_arrays or isinstance(validation_data, tuple):
        if batch_size % replicas:
            raise invalid(
                "batch_size",
                f"a multiple of the number of replicas, {replicas}",
                batch_size,
            )
    if is_arrays and len(train[1]) < batch_size:
        raise invalid(
            "train",
            f"enough examples for a batch of {batch_size} that several "
            "devices share",
            found=f"{len(train[1])} examples",
        )


def _check_batches(name, data):
    """Reject `ShuffledBatches` that have no batch, where `fit` would end."""
    if isinstance(data, ShuffledBatches) and not len(data):
        least = data.batch_size if data.drop_remainder else 1
        raise invalid(
            name,
            f"at least one batch, of {least} examples or more",
            found=f"{data.examples} examples",
        )


def _even(validation_data, replicas):
    """Drop examples of arrays so that all devices get the same number."""
    if not isinstance(validation_data, tuple):
        return validation_data
    examples = len(validation_data[1])
    size = examples // replicas * replicas
    if size == 0:
        raise invalid(
            "validation_data",
            f"at least one example for each of {replicas} replicas",
            found=f"{examples} examples",
        )
    return keras.tree.map_structure(lambda array: array[:size], validation_data)


def _for_fit(data):
    """Convert data for `fit`; TensorFlow gets a `tf.data.Dataset`."""
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
