"""Store the images of a run for the report."""

import numpy as np

from loupe_tf.atomic import written_aside
from loupe_tf.reading import load_npz


def save_images(folder, name, voxel_size=None, **arrays):
    """Store the images of a run for figures, in half precision.

    Args:
        folder: `RunFolder`.
        name: String, the name of the run.
        voxel_size: (Optional) the `voxel_size` of `loupe_tf.datasets.Slices`,
            for the proportions of pixels; stored under this name, with 0 for
            `None`.
        **arrays: Boolean arrays, or arrays that half precision can represent.
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
    """Load the arrays stored by `save_images`, as float32.

    Returns:
        A dict by name, empty if the run has no images.
    """
    path = folder / "images" / f"{name}.npz"
    if not path.exists():
        return {}
    return {k: v.astype("float32") for k, v in load_npz(path).items()}
