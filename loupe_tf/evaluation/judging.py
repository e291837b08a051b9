"""Evaluate any mask with any reconstructor in the same way.

```python
mask = masks.fixed_mask("poisson_disc", train_images, acceleration=4)
method, _ = evaluation.tune("wavelet_l1", mask, validation_images)
result = evaluation.judge(method, mask, test_images, test_volumes)
```
"""

import numpy as np

from loupe_tf.checks import invalid
from loupe_tf.evaluation.by_volume import per_volume
from loupe_tf.evaluation.fastmri_metrics import fastmri_metrics
from loupe_tf.masks.centre import judging
from loupe_tf.numpy_operators import check_complex, check_mask
from loupe_tf.reconstruction import forward
from loupe_tf.reconstruction.network import as_reconstructor


@judging
def reconstruct(reconstructor, mask, images, maps=None, kspace=None):
    """Measure images with a mask, and rebuild them one by one.

    Args:
        reconstructor: Callable `(kspace, mask, maps)` that returns an image
            `(H, W)`, such as a `loupe_tf.reconstruction.Reconstructor`; or a
            trained model for `loupe_tf.reconstruction.Network`.
        mask: `SamplingMask`, or an array with one of its shapes.
        images: Fully sampled images, `(n, H, W, 1)` or complex
            `(n, H, W, 2)`.
        maps: (Optional) sensitivity maps of the coils, complex
            `(coils, H, W)`, or `(n, coils, H, W)` with maps for each image. By
            default there is one coil, and the reconstructor gets k-space
            `(H, W)` and no maps.
        kspace: (Optional) fully sampled k-space to measure, such as one with
            noise: complex `(n, H, W)`, or `(n, coils, H, W)` with maps. By
            default it is that of the images and maps.

    Maps and k-space are read image by image. They may be objects with `ndim`,
    a length and an index, such as data sets of HDF5.

    Returns:
        Float32 array `(n, H, W, 1)`: magnitudes of complex reconstructions,
        and real reconstructions unchanged.

    Raises:
        ValueError: If the mask, the maps or the reconstructor are for another
            matrix size, or if an image is not finite.
    """
    reconstructor = as_reconstructor(reconstructor)
    images = np.asarray(images)
    _check_maps_and_kspace(maps, kspace, images)
    rows = range(len(images))
    return _reconstruct(reconstructor, mask, images, maps, kspace, rows)


def _reconstruct(reconstructor, mask, images, maps, kspace, rows):
    """Rebuild some of the images, see `reconstruct`."""
    chosen = to_complex(images[rows])
    outputs = []
    for index, image in zip(rows, chosen, strict=True):
        measured, own_maps = measure(image, mask, maps, kspace, index)
        output = reconstructor(measured, mask, own_maps)
        if np.iscomplexobj(output):
            output = np.abs(output)
        outputs.append(output)
    return np.asarray(outputs, "float32").reshape(*chosen.shape, 1)


def measure(image, mask, maps, kspace, index):
    """Measure one image with a mask.

    Args:
        image: Array `(H, W)`.
        mask, maps, kspace: Arguments of `reconstruct`.
        index: Integer, that of the image.

    Returns:
        A pair: k-space `(H, W)` or `(coils, H, W)`, zero where the mask does
        not acquire it, and the maps of the image or `None`.
    """
    own_maps = maps[index] if np.ndim(maps) == 4 else maps
    if kspace is None:
        return forward(image, mask, own_maps), own_maps
    full = check_complex("kspace", kspace[index])
    return np.where(check_mask(mask, image.shape), full, 0), own_maps


@judging
def judge(reconstructor, mask, images, volumes, maps=None, kspace=None):
    """Evaluate a reconstructor with a mask, by volume, in two conventions.

    One is this package's: `-10 log10(MSE)` of each slice, with data range 1,
    averaged over the slices of a volume. The other is fastMRI's: each volume
    counts as one image, and its maximum is the data range.

    Args:
        reconstructor: Callable `(kspace, mask, maps)`, or a trained model; see
            `reconstruct`.
        mask: `SamplingMask`, or an array with one of its shapes.
        images: Fully sampled images, `(n, H, W, 1)` or complex
            `(n, H, W, 2)`, divided by the maximum of their volume.
        volumes: Array `(n,)`, the name of the volume of each slice.
        maps, kspace: (Optional) sensitivity maps, and k-space with noise; see
            `reconstruct`. The images stay the truth.

    Returns:
        The result of `judge_images` for the magnitudes. Volumes that it refuses
        are not reconstructed.

    Raises:
        ValueError: If the mask, the maps or the reconstructor are for another
            matrix size.
    """
    reconstructor = as_reconstructor(reconstructor)
    images = np.asarray(images)
    _check_maps_and_kspace(maps, kspace, images)

    def rebuild(rows):
        rows = np.flatnonzero(rows)
        return _reconstruct(reconstructor, mask, images, maps, kspace, rows)

    return _judge(volumes, lambda rows: magnitude(images[rows]), rebuild)


def judge_images(images, outputs, volumes):
    """Evaluate reconstructed images, by volume, in both conventions.

    Args:
        images: True images `(n, H, W, 1)`, divided by the maximum of their
            volume.
        outputs: Reconstructions, same shape.
        volumes: Array `(n,)`, the name of the volume of each slice.

    Returns:
        A dictionary of three dictionaries by name of the volume.
        `"unit_range"` holds the results of `per_volume`, and `"fastmri"` those
        of `fastmri_metrics`. `"refused"` holds the reasons why other volumes
        are in neither. A volume is refused if its values are all equal: zeros
        have no metric, and any mask that acquires DC rebuilds other constants
        perfectly. It is also refused if it or its reconstruction is not finite.
    """
    images, outputs = np.asarray(images), np.asarray(outputs)
    return _judge(volumes, images.__getitem__, outputs.__getitem__)


def _judge(volumes, images_of, rebuild):
    """Judge images given as functions from rows to images."""
    result = {"unit_range": {}, "fastmri": {}, "refused": {}}
    volumes = np.asarray(volumes)
    for volume in np.unique(volumes):
        rows = volumes == volume
        truth = images_of(rows)
        low, high = float(truth.min()), float(truth.max())
        if not np.isfinite(truth).all():
            problem = "the volume has values that are not finite"
        elif low == high:
            problem = f"the volume is {low:g} everywhere"
        else:
            output = rebuild(rows)
            if np.isfinite(output).all():
                found = per_volume(truth, output, volumes[rows])
                result["unit_range"].update(found)
                found = fastmri_metrics(truth, output)
                result["fastmri"][str(volume)] = found
                continue
            problem = "the reconstruction has values that are not finite"
        result["refused"][str(volume)] = problem
    return result


def magnitude(images):
    """Return the magnitudes `(n, H, W, 1)` of one or two channels."""
    return np.abs(to_complex(images))[..., None]


def to_complex(images):
    """Convert images `(n, H, W, C)` to a complex or real `(n, H, W)`."""
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[-1] not in (1, 2):
        raise invalid(
            "images",
            "shape (n, H, W, 1) or (n, H, W, 2)",
            found=f"shape={images.shape}",
        )
    if images.shape[-1] == 1:
        return images[..., 0]
    return images[..., 0] + 1j * images[..., 1]


def _check_maps_and_kspace(maps, kspace, images):
    """Refuse maps or k-space of another number of images."""
    if np.ndim(maps) == 4 and len(maps) != len(images):
        raise invalid(
            "maps",
            f"maps of all coils, or maps for each of the {len(images)} images",
            found=f"shape={np.shape(maps)}",
        )
    if kspace is None:
        return
    axes = 3 if maps is None else 4
    if np.ndim(kspace) != axes or len(kspace) != len(images):
        shape = "(n, H, W)" if maps is None else "(n, coils, H, W)"
        raise invalid(
            "kspace",
            f"shape {shape}, with n = {len(images)}, the number of images",
            found=f"shape={np.shape(kspace)}",
        )
