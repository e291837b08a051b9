"""Write images to files."""

import math
import pathlib

import numpy as np

from loupe_tf.atomic import written_aside
from loupe_tf.checks import invalid

WHITE = 99.5


def save_image(
    image, path, field_of_view=None, slice_spacing=None, window=None
):
    """Write an image, or a volume, in the format given by the suffix.

    | suffix | holds |
    |---|---|
    | `.npy` | the array, unchanged |
    | `.nii`, `.nii.gz` | magnitudes, float32, axes `(H, W, slices)`, with voxel sizes (the extra `volumes`) |
    | `.png` | magnitudes in 8 bits, to look at; the slices of a volume side by side, in rows |

    A NIfTI file has voxel sizes but no orientation (its codes are 0,
    "unknown"), because raw k-space does not contain the position of the
    patient. Unknown sizes are 1. In a PNG file, `window` gives the values of
    black and white, the same for all slices. Values in between are linear, and
    others are clipped. If the field of view implies that pixels are not
    square, interpolation stretches their shorter sides.

    The file is written whole or not at all.

    Args:
        image: Real or complex array `(H, W)` or `(slices, H, W)`, finite.
        path: Path of the file.
        field_of_view: (Optional) size `(H, W)` of the image in mm.
        slice_spacing: (Optional) distance of the slices in mm.
        window: (Optional) pair of numbers `(black, white)`, for PNG. Defaults
            to 0 and the 99.5th percentile of the pixels.

    Raises:
        ImportError: If nibabel is missing, for NIfTI.
        ValueError: If the suffix is not in the table, or if an argument is
            invalid.

    Example:

    ```python
    loupe_tf.formats.save_image(volume, "volume.nii.gz", (240, 240), 5)
    ```
    """  # noqa: E501
    name = pathlib.Path(path).name.lower()
    writers = {
        ".npy": lambda file: _npy(image, file),
        ".nii": lambda file: _nifti(image, file, field_of_view, slice_spacing),
        ".png": lambda file: _png(image, file, window, field_of_view),
    }
    writers[".nii.gz"] = writers[".nii"]
    write = [w for suffix, w in writers.items() if name.endswith(suffix)]
    if not write:
        raise invalid(
            "path",
            f"a path that ends in one of {', '.join(writers)}",
            found=f"path={path}",
        )
    image = np.asarray(image)
    if image.ndim not in (2, 3) or not image.size:
        raise invalid(
            "image",
            "shape (H, W) or (slices, H, W)",
            found=f"shape={image.shape}",
        )
    if image.dtype.kind not in "fcui" or not np.isfinite(image).all():
        raise invalid(
            "image",
            "finite numbers",
            found=f"dtype={image.dtype} with other values",
        )
    with written_aside(path) as partial:
        write[0](partial)


def _npy(image, path):
    # Into an open file: NumPy would append the suffix to `A.NPY`.
    with open(path, "xb") as file:
        np.save(file, image)


def _nifti(image, path, field_of_view, slice_spacing):
    try:
        import nibabel
    except ImportError as error:
        raise ImportError(
            "NIfTI files require nibabel. Install it with: "
            'pip install "loupe-tf[volumes]"'
        ) from error

    volume = np.abs(image).astype(np.float32).reshape(-1, *image.shape[-2:])
    height, width = volume.shape[1:]
    sizes = [1.0, 1.0, slice_spacing or 1.0]
    if field_of_view is not None:
        sizes[:2] = field_of_view[0] / height, field_of_view[1] / width
    file = nibabel.Nifti1Image(
        np.moveaxis(volume, 0, -1), np.diag([*sizes, 1.0])
    )
    file.set_sform(file.affine, code="unknown")
    file.set_qform(file.affine, code="unknown")
    if field_of_view is not None:
        file.header.set_xyzt_units("mm")
    nibabel.save(file, path)


def _png(image, path, window, field_of_view):
    import PIL.Image

    pixels = np.abs(image).astype(float)
    low, high = window or (0.0, np.percentile(pixels, WHITE))
    if not low < high:
        if window:
            raise invalid("window", "two numbers, black < white", window)
        high = pixels.max() or 1.0
    pixels = np.clip((pixels - low) / (high - low), 0, 1) * 255
    pixels = np.round(pixels).astype(np.uint8)
    if field_of_view is not None:
        sizes = np.divide(field_of_view, pixels.shape[-2:])
        # A difference below one percent is not visible.
        if sizes.max() > 1.01 * sizes.min():
            shape = np.round(field_of_view / sizes.min()).astype(int).tolist()
            slices = pixels.reshape(-1, *pixels.shape[-2:])
            slices = [
                PIL.Image.fromarray(each).resize(shape[::-1]) for each in slices
            ]
            pixels = np.reshape(slices, (*pixels.shape[:-2], *shape))
    if pixels.ndim == 3:
        pixels = _tiles(pixels)
    PIL.Image.fromarray(pixels).save(path)


def _tiles(slices):
    """Arrange slices in about as many rows as columns; the rest is black."""
    number, height, width = slices.shape
    columns = math.ceil(math.sqrt(number))
    rows = math.ceil(number / columns)
    tiles = np.zeros((rows * columns, height, width), slices.dtype)
    tiles[:number] = slices
    tiles = tiles.reshape(rows, columns, height, width).swapaxes(1, 2)
    return tiles.reshape(rows * height, columns * width)
