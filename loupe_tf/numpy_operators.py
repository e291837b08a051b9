"""The forward operator of several coils for NumPy's complex arrays.

K-space and masks are centred, with DC at `(H // 2, W // 2)`, and the Fourier
transform is orthonormal, as in `loupe_tf.fourier`.
"""

import numpy as np

from loupe_tf.checks import invalid
from loupe_tf.masks.centre import judging
from loupe_tf.masks.half_plane import mirrored
from loupe_tf.numpy_fourier import fft2c, ifft2c


@judging
def forward(image, mask, maps=None):
    """Apply the forward operator of several coils: `y = M F S x`.

    The image of coil i is `S_i x`, and the mask samples its k-space (Pruessmann
    et al., "SENSE: sensitivity encoding for fast MRI", 1999).

    Args:
        image: Complex or real array `(H, W)`. Without maps also `(..., H, W)`,
            such as coil images.
        mask: Array of booleans, or of 0 and 1, or a `SamplingMask`, of shape
            `(H, W)`, `(1, W)` or `(H, 1)`. A mask that seems to have DC in the
            corner (`loupe_tf.masks.dc_position`) causes a warning.
        maps: Sensitivity maps S, complex array `(coils, H, W)`, or `None` for
            the identity.

    Returns:
        Complex64 array, k-space: `(coils, H, W)` with maps, else the shape of
        the image. Entries that are not acquired are 0.

    Raises:
        ValueError: If mask or maps do not fit the image.
    """
    image = check_complex("image", np.asarray(image, np.complex64))
    mask = check_mask(mask, image.shape[-2:])
    if maps is not None:
        if image.ndim != 2:
            raise invalid("image", "shape (H, W) with maps", found=image.shape)
        image = check_maps(maps, (None, *image.shape)) * image
    # NumPy 1 computes in double precision.
    return np.where(mask, fft2c(image), 0).astype(np.complex64)


@judging
def adjoint(kspace, mask, maps=None):
    """Apply the adjoint of `forward`: `x = S^H F^H M y`.

    Args:
        kspace: Complex array `(coils, H, W)` with maps, `(..., H, W)` without.
            Entries that the mask does not acquire are not used.
        mask: As for `forward`.
        maps: As for `forward`.

    Returns:
        Complex64 array. With maps, the image `(H, W)`: the sum over coils of
        the coil images times the conjugate maps. Without maps, images with the
        shape of the k-space.

    Raises:
        ValueError: If mask or maps do not fit the k-space.
    """
    kspace = check_complex("kspace", kspace)
    mask = check_mask(mask, kspace.shape[-2:])
    if maps is not None:
        maps = check_maps(maps, kspace.shape)
    images = ifft2c(np.where(mask, kspace, 0)).astype(np.complex64)
    return images if maps is None else np.sum(maps.conj() * images, axis=0)


def fill_mirror(kspace, mask):
    """Fill k-space and mask of an image without phase from their mirror.

    Its k-space satisfies `y(-k) = conj y(k)` (indices modulo N).

    Args:
        kspace: Complex array `(..., H, W)`.
        mask: Boolean array `(H, W)`, the acquired entries.

    Returns:
        A pair: k-space whose other entries are taken from the mirror, and the
        union of the mask and its mirror.
    """
    filled = np.where(mask, kspace, np.conj(mirrored(kspace)))
    return filled, mask | mirrored(mask)


def root_sum_of_squares(images):
    """Return `√Σ|x_i|²` of coil images `(coils, H, W)`, float32 `(H, W)`."""
    return np.sqrt(np.sum(np.abs(images) ** 2, axis=0)).astype(np.float32)


def to_channels(image):
    """Convert an array `(..., H, W)` to a batch of (real, imaginary).

    Returns:
        Float32 array `(1, ..., H, W, 2)`.
    """
    channels = np.stack([np.real(image), np.imag(image)], axis=-1)
    return channels[None].astype(np.float32)


def check_complex(name, array):
    """Return a complex array `(..., H, W)` as complex64."""
    array = np.asarray(array)
    if not np.iscomplexobj(array) or array.ndim < 2 or 0 in array.shape:
        raise invalid(
            name,
            "a complex array whose last axes are (H, W), not (real, imaginary) "
            "channels",
            found=f"shape={array.shape}, dtype={array.dtype}",
        )
    return array.astype(np.complex64)


def check_mask(mask, size):
    """Return a mask as a boolean array `(H, W)`, the size of k-space."""
    mask = np.asarray(mask)
    height, width = size
    shapes = [(height, width), (1, width), (height, 1)]
    if mask.shape not in shapes:
        raise invalid(
            "mask",
            f"shape {shapes[0]}, {shapes[1]} or {shapes[2]}, to fit the matrix "
            "size of the k-space",
            found=f"shape={mask.shape}",
        )
    if mask.dtype.kind not in "fiub" or not np.isin(mask, (0, 1)).all():
        raise invalid(
            "mask", "booleans, or only 0 and 1", found=f"dtype={mask.dtype}"
        )
    return np.broadcast_to(mask.astype(bool), size)


def check_maps(maps, shape):
    """Return maps as complex64; `shape` is the shape of k-space."""
    maps = np.asarray(maps)
    expected = tuple(shape)
    fits = maps.ndim == 3 == len(expected) and all(
        n in (None, m) for n, m in zip(expected, maps.shape)
    )
    if not fits:
        coils = "coils" if expected[0] is None else expected[0]
        wanted = f"({coils}, {expected[-2]}, {expected[-1]})"
        raise invalid(
            "maps",
            f"shape {wanted}, one map for each coil of the k-space",
            found=f"shape={maps.shape}",
        )
    if not np.isfinite(maps).all():
        raise invalid("maps", "finite values", found="NaN or infinity")
    return maps.astype(np.complex64)
