"""The phase of images: their own, or one that `--phase` simulates."""

import dataclasses

import numpy as np

from loupe_tf.checks import check_number, invalid
from loupe_tf.simulation import add_phase


def images_of(data, phase, seed):
    """Return the images of each split, with a phase if one is asked for.

    The same seed gives a split the same phases in each command.

    Args:
        data: Dictionary of `loupe_tf.datasets.Slices` by split.
        phase: Float, the standard deviation of the phase in radians; or `None`
            or 0 for no phase.
        seed: Integer.

    Returns:
        Dictionary of arrays `(n, H, W, 2)`, or `(n, H, W, 1)` without a phase.

    Raises:
        ValueError: If complex images are to get another phase.
    """
    check_one_phase(data, phase)
    if not phase:
        return {name: slices.images for name, slices in data.items()}
    # Each split has phases of its own.
    return {
        name: add_phase(slices.images, phase, [seed, number])
        for number, (name, slices) in enumerate(data.items())
    }


def check_one_phase(data, phase):
    """Refuse another phase for images that have one.

    Args:
        data: Dictionary of `loupe_tf.datasets.Slices` by split.
        phase: Float or `None`, as for `images_of`.

    Raises:
        ValueError: If complex images are to get another phase.
    """
    if phase and any(map(is_complex, data.values())):
        raise invalid(
            "phase", "none, since the images are complex and have one", phase
        )


def is_complex(slices):
    """Return whether slices have real and imaginary parts."""
    return slices.images.shape[-1] == 2


def magnitudes(data):
    """Return the splits with the magnitudes of their images.

    Args:
        data: Dictionary of `loupe_tf.datasets.Slices` by split.
    """
    return {
        name: dataclasses.replace(
            slices,
            images=np.linalg.norm(slices.images, axis=-1, keepdims=True),
        )
        if is_complex(slices)
        else slices
        for name, slices in data.items()
    }


def check_phase(phase):
    """Refuse a phase that is no number of at least 0."""
    if phase is not None:
        check_number("phase", phase, at_least=0)


def with_phase(source, phase):
    """Return the sentence on the source of the data, with its phase."""
    if not phase:
        return source
    return f"{source}, with a simulated phase of {phase:g} rad"
