"""How a result was obtained: data, settings, versions, hardware, command."""

import importlib
import os
import pathlib
import platform
import sys

import numpy as np

from loupe_tf.version import __version__

# Keras is imported by the functions that need it: `--help` does not wait.

__all__ = ["environment", "provenance"]

# What `python -m loupe_tf.cli` runs.
MODULE = ("cli", "__main__.py")


def environment(*packages):
    """Versions and hardware, as texts by name: facts for a report.

    Args:
        *packages: Strings, further packages, as they are imported.
    """
    import keras

    versions = [(p, importlib.import_module(p).__version__) for p in packages]
    others = [f", {name} {version}" for name, version in versions]
    accelerators = _count_accelerators()
    return {
        "versions": f"loupe_tf {__version__}, Keras {keras.version()} on "
        f"{keras.backend.backend()}, NumPy {np.__version__}, Python "
        f"{platform.python_version()}{''.join(others)}",
        "hardware": f"{platform.machine()}, {os.cpu_count()} cores"
        + (f", {accelerators} accelerators" if accelerators else ""),
    }


def command_line():
    """The command that runs, as it was typed."""
    program = pathlib.Path(sys.argv[0])
    ours = program.stem == "loupe-tf" or program.parts[-2:] == MODULE
    words = ["loupe-tf", *sys.argv[1:]] if ours else ["python", *sys.argv]
    return " ".join(words)


def _count_accelerators():
    """Accelerators that the backend sees."""
    import keras

    # keras.distribution.list_devices knows TensorFlow and JAX, and raises
    # where JAX has CPUs alone.
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        devices = tf.config.list_physical_devices()
        return sum(device.device_type != "CPU" for device in devices)
    if keras.backend.backend() == "jax":
        import jax

        return sum(device.platform != "cpu" for device in jax.devices())
    # The backend has imported it; the package does not require it.
    return sys.modules["torch"].cuda.device_count()


def provenance(settings, source, splits):
    """How a result was obtained, as texts by name: facts for a report.

    Args:
        settings: Dict of the settings of the script.
        source, splits: What `loupe_tf.datasets.load_splits` returns.

    Returns:
        A dict with the data, its volumes, the size of the images, the settings,
        what `environment` returns, and the command.
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
    """Size of the voxels of all splits, to follow that of the matrix."""
    sizes = [getattr(part, "voxel_sizes", None) for part in splits.values()]
    if any(each is None for each in sizes):
        return ""
    from loupe_tf.datasets.voxel_size import common_voxel_size

    between, *pixel = common_voxel_size(np.concatenate(sizes))
    if None in pixel:
        return ", voxel sizes mixed or unknown"
    text = ", voxels of {:.3g}×{:.3g} mm".format(*pixel)
    return text + (f", slices {between:.3g} mm apart" if between else "")
