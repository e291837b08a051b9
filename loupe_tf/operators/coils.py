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
    real, imag = fourier.split(ops.expand_dims(image, 1))
    map_real, map_imag = fourier.split(maps)
    return fourier.join(
        map_real * real - map_imag * imag,
        map_real * imag + map_imag * real,
    )


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
    real, imag = fourier.split(images)
    map_real, map_imag = fourier.split(maps)
    return fourier.join(
        ops.sum(map_real * real + map_imag * imag, axis=1),
        ops.sum(map_real * imag - map_imag * real, axis=1),
    )
