"""Any mask with any reconstructor, judged alike.

```python
mask = masks.fixed_mask("poisson_disc", train_images, acceleration=4)
method, _ = evaluation.tune("wavelet_l1", mask, validation_images)
result = evaluation.judge(method, mask, test_images, test_volumes)
```
"""

import numpy as np

from loupe_tf.checks import invalid
from loupe_tf.evaluation.by_volume import fastmri_metrics, per_volume
from loupe_tf.masks.centre import judging
from loupe_tf.reconstruction import forward
from loupe_tf.reconstruction.network import as_reconstructor


@judging
def reconstruct(reconstructor, mask, images, maps=None):
    """Measure images with a mask, and rebuild them one by one.

    Args:
        reconstructor: Callable `(kspace, mask, maps)` that returns an image
            `(H, W)`, such as a `loupe_tf.reconstruction.Reconstructor`; or a
            trained model that `loupe_tf.reconstruction.Network` takes.
        mask: `SamplingMask`, or an array of one of its shapes.
        images: Fully sampled images, `(n, H, W, 1)` or complex
            `(n, H, W, 2)`.
        maps: (Optional) sensitivity maps of the coils that measure, complex
            `(coils, H, W)`, or `(n, coils, H, W)`, other ones for each image.
            By default one coil, `kspace` is `(H, W)`, and `None` is handed on.

    Returns:
        Float32 array `(n, H, W, 1)`: magnitudes of complex reconstructions,
        real ones as they are.

    Raises:
        ValueError: If the mask, the maps or the reconstructor are for another
            matrix size, or an image is not finite.
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
    """What a reconstructor makes of a mask's samples, in both conventions.

    Args:
        reconstructor: Callable `(kspace, mask, maps)`, or a trained model; see
            `reconstruct`.
        mask: `SamplingMask`, or an array of one of its shapes.
        images: Fully sampled images, `(n, H, W, 1)` or complex
            `(n, H, W, 2)`, divided by their volume's maximum.
        volumes: Array `(n,)`, the volume that each belongs to.
        maps: (Optional) sensitivity maps, see `reconstruct`.

    Returns:
        What `judge_images` returns of the magnitudes. Volumes that it refuses
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
    """What images are worth that have been reconstructed, by volume.

    Args:
        images: True images `(n, H, W, 1)`, divided by their volume's maximum.
        outputs: Reconstructions, same shape.
        volumes: Array `(n,)`, the volume that each slice belongs to.

    Returns:
        A dict of dicts by the name of the volume: `"unit_range"`, what
        `per_volume` says, `"fastmri"`, what `fastmri_metrics` says, and
        `"refused"`, texts: why a volume is in neither of them. That are
        volumes of one value alone, which are zero and have no metric, or of
        which every mask that takes DC gives a perfect image; and those with
        values that are not finite, before or after the reconstruction.
    """
    images, outputs = np.asarray(images), np.asarray(outputs)
    return _judge(volumes, images.__getitem__, outputs.__getitem__)


def _judge(volumes, images_of, rebuild):
    """`judge_images` of what `images_of` and `rebuild` return of some rows."""
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
    """Magnitudes `(n, H, W, 1)` of `(n, H, W, 1)` or `(n, H, W, 2)`."""
    return np.abs(to_complex(images))[..., None]


def to_complex(images):
    """Images `(n, H, W, C)` as complex or real `(n, H, W)`."""
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
    """Whether each image has maps of its own."""
    several = np.ndim(maps) == 4
    if several and len(maps) != len(images):
        raise invalid(
            "maps",
            f"those of all coils, or for each of the {len(images)} images",
            found=f"shape={np.shape(maps)}",
        )
    return several
