"""What a run leaves for the report: traces and images."""

import numpy as np

from loupe_tf.atomic import written_aside
from loupe_tf.reading import load_npz


def to_trace(history, keys):
    """Those parts of a history that a record keeps.

    Args:
        history: Dict of lists of numbers, such as `model.fit(...).history`.
        keys: Names of lists.

    Returns:
        A dict of lists of floats of six digits, with `None` for what is not
        finite, which JSON does not have.
    """
    return {
        key: [
            float(f"{value:.6g}") if np.isfinite(value) else None
            for value in history[key]
        ]
        for key in keys
    }


def save_images(folder, name, voxel_size=None, **arrays):
    """Keep what the figures show of a run, in half precision.

    Args:
        folder: `RunFolder`.
        name: String, of the run.
        voxel_size: (Optional) that of `loupe_tf.datasets.Slices`, for the
            proportions of pixels; kept under this name, 0 for `None`.
        **arrays: Boolean arrays, or such as half precision can show.
    """
    if folder.writes:
        arrays = {k: np.asarray(v) for k, v in arrays.items()}
        if voxel_size is not None:
            arrays["voxel_size"] = np.array([mm or 0 for mm in voxel_size])
        arrays = {
            k: v if v.dtype == bool else v.astype("float16")
            for k, v in arrays.items()
        }
        with written_aside(folder / "images" / f"{name}.npz") as partial:
            np.savez_compressed(partial, **arrays)


def load_images(folder, name):
    """What `save_images` has kept: float32 arrays by name.

    Returns:
        A dict, empty if there is nothing: records may come without images.
    """
    path = folder / "images" / f"{name}.npz"
    if not path.exists():
        return {}
    return {k: v.astype("float32") for k, v in load_npz(path).items()}
