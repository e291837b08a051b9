"""The simulated measurements that `loupe-tf train` learns from and judges."""

import numpy as np

from loupe_tf.cli.measurement import NOISE, has_noise
from loupe_tf.cli.phase import check_one_phase, images_of
from loupe_tf.simulation import add_noise

# `CoilBatches` appends epoch and batch to the seed. No training reaches this
# epoch, so the other splits have nothing of it.
APART = 2**32 - 1


def simulate(options, data, devices):
    """Simulate the measurement of each split.

    With coils, those of training have new angles and phases in each epoch. The
    model adds the noise of training, anew in each step; validation and test
    have noise that stays, since a scan with the mask has noise as well.

    Args:
        options: `argparse.Namespace` of `loupe-tf train`.
        data: Dict of `loupe_tf.datasets.Slices` by split.
        devices: `loupe_tf.distribution.Distribution`.

    Returns:
        Dict by split: arrays of images, as a model of one coil gets them, or
        `CoilBatches`.
    """
    if options.coils is None:
        images = images_of(data, options.phase, options.seed)
        return _with_noise(images, options)
    from loupe_tf.callbacks import CoilBatches

    check_one_phase(data, options.phase)
    found = {}
    for number, (name, slices) in enumerate(data.items()):
        images = slices.images
        if name == "validation":  # All devices get as many.
            images = images[
                : len(images) // devices.replicas * devices.replicas
            ]
        found[name] = CoilBatches(
            images,
            options.coils,
            options.batch_size,
            seed=options.seed
            if name == "train"
            else [options.seed, APART, number],
            phase=options.phase or 0.0,
            turns=False,  # A mask is learned for images as they are given.
            snr=None if name == "train" else options.snr,
            drop_remainder=name == "train" and devices.replicas > 1,
            peak_snr=None if name == "train" else options.peak_snr,
        )
    return found


def _with_noise(images, options):
    """Add noise to the images that are not of training.

    The Fourier transform is orthonormal, so it is the noise of their k-space.
    It is complex: the images of all splits then have two channels.
    """
    if not has_noise(vars(options)):
        return images
    found = {}
    for number, (name, array) in enumerate(images.items()):
        if array.shape[-1] == 1:
            array = np.concatenate([array, np.zeros_like(array)], axis=-1)
        if name != "train":
            seed = [options.seed, number, NOISE]
            array = add_noise(array, options.snr, seed, options.peak_snr)
        found[name] = array
    return found


def image_shape(scans, options):
    """The shape of the images of `loupe_model`.

    Args:
        scans: Dict, what `simulate` returns.
        options: `argparse.Namespace` of `loupe-tf train`.
    """
    if options.coils is None:
        return scans["test"].shape[1:]
    return (*scans["test"].x.shape[1:3], 1)


def of_training(scans, data, name):
    """What `fit_two_rounds` takes of a split.

    Args:
        scans: Dict, what `simulate` returns.
        data: Dict of `Slices`, whose images are the targets.
        name: String, the split.
    """
    if isinstance(scans[name], np.ndarray):
        return scans[name], data[name].images
    return scans[name]


def rebuild(model, scans, batch_size):
    """Predict the images of all scans, in the order of the images.

    Args:
        model: Keras model.
        scans: Array or `CoilBatches`.
        batch_size: Integer, for arrays.

    Returns:
        Float32 array `(n, H, W, 1)`.
    """
    if isinstance(scans, np.ndarray):
        return model.predict(scans, batch_size, verbose=0)
    output = np.empty((*scans.x.shape[:3], 1), "float32")
    for index in range(len(scans)):
        inputs, _ = scans[index]
        output[scans.rows(index)] = model.predict_on_batch(inputs)
    return output
