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
from loupe_tf.reconstruction import forward
from loupe_tf.reconstruction.network import as_reconstructor


@judging
def reconstruct(reconstructor, mask, images, maps=None):
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

    Returns:
        Float32 array `(n, H, W, 1)`: magnitudes of complex reconstructions,
        and real reconstructions unchanged.

    Raises:
        ValueError: If the mask, the maps or the reconstructor are for another
            matrix size, or if an image is not finite.
    """
    reconstructor = as_reconstructor(reconstructor)
    images = to_complex(images)
    several = _check_several(maps, images)
    outputs = []
    for index, image in enumerate(images):
        own_maps = maps[index] if several else maps
        output = reconstructor(forward(image, mask, own_maps), mask, own_maps)
        if np.iscomplexobj(output):
            output = np.abs(output)
        outputs.append(output)
    return np.asarray(outputs, "float32").reshape(*images.shape, 1)


@judging
def judge(reconstructor, mask, images, volumes, maps=None):
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
        maps: (Optional) sensitivity maps; see `reconstruct`.

    Returns:
        The result of `judge_images` for the magnitudes. Volumes that it refuses
        are not reconstructed.

    Raises:
        ValueError: If the mask, the maps or the reconstructor are for another
            matrix size.
    """
    reconstructor = as_reconstructor(reconstructor)
    images = np.asarray(images)
    several = _check_several(maps, images)

    def rebuild(rows):
        own_maps = np.asarray(maps)[rows] if several else maps
        return reconstruct(reconstructor, mask, images[rows], own_maps)

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


def _check_several(maps, images):
    """Return whether each image has its own maps."""
    several = np.ndim(maps) == 4
    if several and len(maps) != len(images):
        raise invalid(
            "maps",
            f"maps of all coils, or maps for each of the {len(images)} images",
            found=f"shape={np.shape(maps)}",
        )
    return several
