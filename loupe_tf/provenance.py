"""Record data, settings, versions, hardware and command of a result."""

import importlib
import os
import pathlib
import platform
import sys

import numpy as np

from loupe_tf.version import __version__

# Functions import Keras where needed, so that `--help` is fast.

__all__ = ["environment", "provenance"]

# The program that `python -m loupe_tf.cli` runs.
MODULE = ("cli", "__main__.py")


def environment(*packages):
    """Return versions and hardware, as facts for a report.

    Args:
        *packages: Strings, names of further packages to import.

    Returns:
        A dictionary of strings by name.
    """
    import keras

    versions = [(p, importlib.import_module(p).__version__) for p in packages]
    others = [f", {name} {version}" for name, version in versions]
    accelerators = count_accelerators()
    return {
        "versions": f"loupe_tf {__version__}, Keras {keras.version()} on "
        f"{keras.backend.backend()}, NumPy {np.__version__}, Python "
        f"{platform.python_version()}{''.join(others)}",
        "hardware": f"{platform.machine()}, {os.cpu_count()} cores"
        + (f", {accelerators} accelerators" if accelerators else ""),
    }


def command_line():
    """Return the running command as it was typed."""
    program = pathlib.Path(sys.argv[0])
    ours = program.stem == "loupe-tf" or program.parts[-2:] == MODULE
    words = ["loupe-tf", *sys.argv[1:]] if ours else ["python", *sys.argv]
    return " ".join(words)


def count_accelerators():
    """Return the number of accelerators that the backend finds."""
    import keras

    # keras.distribution.list_devices supports only TensorFlow and JAX, and
    # fails if JAX has only CPUs.
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        devices = tf.config.list_physical_devices()
        return sum(device.device_type != "CPU" for device in devices)
    if keras.backend.backend() == "jax":
        import jax

        return sum(device.platform != "cpu" for device in jax.devices())
    # The backend has imported torch, which this package does not require.
    return sys.modules["torch"].cuda.device_count()


def provenance(settings, source, splits):
    """Return how a result was obtained, as facts for a report.

    Args:
        settings: Dictionary of the settings of the script.
        source, splits: The results of `loupe_tf.datasets.load_splits`.

    Returns:
        A dictionary of strings by name: the data, the volumes, the image size,
        the settings, the result of `environment`, and the command.
    """
    volumes = ", ".join(f"{name} {part}" for name, part in splits.items())
    height, width = splits["test"].images.shape[1:3]
    return {
        "data": source,
        "volumes": volumes,
        "image size": f"{height}×{width}{_voxel_text(splits)}",
        "settings": ", ".join(f"{k}={v}" for k, v in settings.items()),
        **environment(),
        "command": command_line(),
    }


def _voxel_text(splits):
    """Return a text with the voxel size of all splits, or an empty one."""
    sizes = [getattr(part, "voxel_sizes", None) for part in splits.values()]
    if any(each is None for each in sizes):
        return ""
    from loupe_tf.datasets.voxel_size import common_voxel_size

    between, *pixel = common_voxel_size(np.concatenate(sizes))
    if None in pixel:
        return ", voxel sizes mixed or unknown"
    shape = splits["test"].images.shape[1:3]
    view = [n * mm for n, mm in zip(shape, pixel)]
    text = ", voxels of {:.3g}×{:.3g} mm".format(*pixel)
    text += ", field of view {:.4g}×{:.4g} mm".format(*view)
    return text + (f", slices {between:.3g} mm apart" if between else "")
