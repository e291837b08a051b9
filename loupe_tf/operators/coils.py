"""Weight an image by the coil sensitivities, and combine coil images."""

from keras import ops

from loupe_tf import fourier


def expand_coils(image, maps=None):
    """Weight an image by the sensitivity of each coil: `x_i = S_i x`.

    Args:
        image: Tensor `(batch, ..., H, W, 2)`, (real, imaginary).
        maps: Tensor `(1 or batch, coils, ..., H, W, 2)`, or `None` for a
            single coil of uniform sensitivity.

    Returns:
        Tensor `(batch, coils, ..., H, W, 2)`.
    """
    if maps is None:
        return ops.expand_dims(image, 1)
    image = fourier.split(ops.expand_dims(image, 1))
    return fourier.join(*weight_parts(fourier.split(maps), image))


def combine_coils(images, maps=None):
    """Apply the adjoint of `expand_coils`: `x = Σ_i conj(S_i) x_i`.

    Args:
        images: Tensor `(batch, coils, ..., H, W, 2)`, (real, imaginary).
        maps: As for `expand_coils`.

    Returns:
        Tensor `(batch, ..., H, W, 2)`.
    """
    if maps is None:
        return ops.squeeze(images, 1)
    found = combine_parts(fourier.split(maps), fourier.split(images))
    return fourier.join(*found)


def weight_parts(maps, image):
    """Multiply complex numbers, each a pair of real and imaginary part."""
    (map_real, map_imag), (real, imag) = maps, image
    return (
        map_real * real - map_imag * imag,
        map_real * imag + map_imag * real,
    )


def combine_parts(maps, images):
    """Sum over the coils, `Σ_i conj(S_i) x_i`, of pairs as in `weight_parts`.

    The coils are axis 1, which the sum leaves out.
    """
    (map_real, map_imag), (real, imag) = maps, images
    return (
        ops.sum(map_real * real + map_imag * imag, axis=1),
        ops.sum(map_real * imag - map_imag * real, axis=1),
    )
