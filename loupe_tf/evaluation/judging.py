"""Any mask with any reconstructor, judged alike.

```python
mask = masks.fixed_mask("poisson_disc", train_images, acceleration=4)
method, _ = evaluation.tune("wavelet_l1", mask, validation_images)
result = evaluation.judge(method, mask, test_images, test_volumes)
```
"""

import numpy as np

from loupe_tf.evaluation.by_volume import fastmri_metrics, per_volume
from loupe_tf.masks.centre import judging
from loupe_tf.reconstruction import forward


@judging
def reconstruct(reconstructor, mask, images):
    """Measure images with a mask, and rebuild them.

    Args:
        reconstructor: A `loupe_tf.reconstruction.Reconstructor`.
        mask: `SamplingMask`, or an array of one of its shapes.
        images: Fully sampled images, `(n, H, W, 1)` or complex
            `(n, H, W, 2)`.

    Returns:
        Float32 array `(n, H, W, 1)`: magnitudes of complex reconstructions,
        real ones as they are.

    Raises:
        ValueError: If the mask or the reconstructor is for another matrix
            size, or an image is not finite.
    """
    outputs = []
    for image in to_complex(images):
        output = reconstructor(forward(image, mask), mask)
        if np.iscomplexobj(output):
            output = np.abs(output)
        outputs.append(output[..., None])
    return np.asarray(outputs, "float32").reshape(*np.shape(images)[:3], 1)


@judging
def judge(reconstructor, mask, images, volumes):
    """What a reconstructor makes of a mask's samples, in both conventions.

    Args:
        reconstructor: A `loupe_tf.reconstruction.Reconstructor`.
        mask: `SamplingMask`, or an array of one of its shapes.
        images: Fully sampled images, `(n, H, W, 1)` or complex
            `(n, H, W, 2)`, divided by their volume's maximum.
        volumes: Array `(n,)`, the volume that each belongs to.

    Returns:
        A dict of dicts by the name of the volume: `"unit_range"`, what
        `evaluation.per_volume` says of the magnitudes, `"fastmri"`, what
        `evaluation.fastmri_metrics` says, and `"refused"`, texts: why a volume
        is in neither of them. That are volumes of one value alone, which are
        zero and have no metric, or of which every mask that takes DC gives a
        perfect image; and those with values that are not finite, before or
        after the reconstruction.

    Raises:
        ValueError: If the mask or the reconstructor is for another matrix
            size.
    """
    result = {"unit_range": {}, "fastmri": {}, "refused": {}}
    volumes = np.asarray(volumes)
    for volume in np.unique(volumes):
        rows = volumes == volume
        part = np.asarray(images)[rows]
        truth = magnitude(part)
        low, high = float(truth.min()), float(truth.max())
        if not np.isfinite(truth).all():
            problem = "the volume has values that are not finite"
        elif low == high:
            problem = f"the volume is {low:g} everywhere"
        else:
            output = reconstruct(reconstructor, mask, part)
            if np.isfinite(output).all():
                result["unit_range"].update(
                    per_volume(truth, output, volumes[rows])
                )
                result["fastmri"][str(volume)] = fastmri_metrics(truth, output)
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
        raise ValueError(
            "Invalid shape for argument `images`. Expected (n, H, W, 1) or "
            f"(n, H, W, 2). Received: {images.shape}"
        )
    if images.shape[-1] == 1:
        return images[..., 0]
    return images[..., 0] + 1j * images[..., 1]
