import numpy as np

from loupe_tf.checks import invalid
from loupe_tf.plots.frequencies import mask_and_aspect
from loupe_tf.plots.image_panels import (
    check_truth,
    draw_images,
    panels,
    pixel_aspect,
)


def overview(
    mask,
    truth,
    zero_filled,
    output,
    max_value=1.0,
    error_scale=5,
    figure=None,
    voxel_size=None,
):
    """Draw in one row a mask and what is made of its samples.

    The panels are the mask, the true image, the zero-filled image, the
    reconstruction and the modulus of its error. Below the zero-filled image and
    the reconstruction stands the PSNR, by the convention of
    `loupe_tf.metrics.PSNR`.

    Args:
        mask: Binary mask, centred, `(H, W)`, `(1, W)` or `(H, 1)`; a
            `SamplingMask` will do.
        truth: True image, `(1, H, W, 1)` or complex `(1, H, W, 2)`.
        zero_filled, output: Images like `truth`: what the samples show without
            a network, and the reconstruction.
        max_value: Positive float, the white of the grey scale and the peak of
            the PSNR.
        error_scale: Positive float, by which the error is magnified.
        figure: (Optional) figure or sub-figure to draw into.
        voxel_size: As that of `loupe_tf.plots.reconstructions`.

    Returns:
        The figure.

    Example:

    ```python
    loupe_tf.plots.overview(
        mask, images[:1], adjoint[:1], output[:1]
    ).savefig("overview.png")
    ```
    """
    from loupe_tf import metrics
    from loupe_tf.metrics.images import modulus, to_images

    shape = check_truth(truth)
    for name, image in {"zero_filled": zero_filled, "output": output}.items():
        if np.shape(image) != shape:
            raise invalid(
                name,
                f"the shape of `truth`, {shape}",
                found=f"shape={np.shape(image)}",
            )
    images = {"zero-filled": zero_filled, "reconstruction": output}
    array, aspect_of_mask = mask_and_aspect("mask", mask)
    height, width = shape[1:3]
    aspect = pixel_aspect(voxel_size)
    figure, axes = panels(figure, 1, [aspect * height / width], 5)
    first, second, *others = axes[0, 0]
    sampled = array.mean()
    first.set_title(f"mask, R = {1 / sampled:.3g}" if sampled else "mask")
    first.imshow(array, cmap="gray", vmin=0, vmax=1, aspect=aspect_of_mask)
    style = {"vmin": 0, "vmax": max_value, "aspect": aspect}
    draw_images(_one(second), "truth", truth, None, **style)
    for ax, (name, image) in zip(others, images.items(), strict=False):
        true, image = to_images(truth, image)
        draw_images(_one(ax), name, image, None, **style)
        decibels = float(metrics.psnr(true, image, max_value)[0])
        ax.set_xlabel(f"PSNR {decibels:.2f} dB")
    draw_images(
        _one(others[-1]),
        f"|error| × {error_scale:g}",
        error_scale * modulus(true - image),
        None,
        cmap="magma",
        **style,
    )
    return figure


def _one(ax):
    """Axes `(1, 1)` of one image without zoom."""
    return np.array([[ax]])
