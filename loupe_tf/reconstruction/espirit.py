import numpy as np

from loupe_tf.checks import check_integer, check_number, invalid
from loupe_tf.masks.centre import judging
from loupe_tf.numpy_operators import check_complex, check_mask
from loupe_tf.reconstruction.calibration import (
    KERNEL_SIZE,
    USUAL,
    acquired_side,
    center,
    needed_lines,
)

# Bytes of the matrices of the pixels that are computed together.
BLOCK = 2**22


@judging
def espirit_maps(
    kspace,
    mask,
    calibration=None,
    kernel_size=KERNEL_SIZE,
    threshold=0.02,
    crop=0.95,
    iterations=100,
):
    """Estimate sensitivity maps from the centre of k-space with ESPIRiT.

    Windows of the calibration region span a space that contains all k-space
    the coils can measure. At each pixel, the maps are the eigenvector of
    eigenvalue 1 of the projection onto this space (Uecker et al., "ESPIRiT -
    an eigenvalue approach to autocalibrating parallel MRI: where SENSE meets
    GRAPPA", 2014).

    With V the windows that span the space and v their Fourier transforms, the
    projection at pixel x is the sum over V of `v(x) v(x)^H`. As a function of
    x it has only `(2·kernel_size - 1)²` Fourier coefficients, the correlations
    of the windows, so it is computed from them and not window by window.

    Args:
        kspace: Complex array `(coils, H, W)`, with DC at `(H // 2, W // 2)`.
        mask: Array of booleans, or of 0 and 1, or a `SamplingMask`, of shape
            `(H, W)`, `(1, W)` or `(H, 1)`.
        calibration: Integer, the side of the central square to use, which must
            be fully acquired. Defaults to the largest side that the mask
            allows, at most 24.
        kernel_size: Integer, the side of the windows.
        threshold: Number in [0, 1]. Singular values below this share of the
            largest one count as noise.
        crop: Number in [0, 1]. Maps are set to 0 where the eigenvalue is
            lower, which is outside the object.
        iterations: Integer, number of power iterations.

    Returns:
        Complex64 array `(coils, H, W)`. `Σᵢ |Sᵢ|²` is 1 in the object and 0
        outside it. Phases are relative to the first coil.

    Raises:
        ValueError: If an argument is invalid, or if the acquired centre is too
            small.

    Example:

    >>> maps = loupe_tf.reconstruction.espirit_maps(kspace, mask)
    >>> image = loupe_tf.reconstruction.Sense(1e-3)(kspace, mask, maps)
    """
    kspace = check_complex("kspace", kspace)
    if kspace.ndim != 3 or len(kspace) < 2:
        raise invalid(
            "kspace", "several coils, shape (coils, H, W)", found=kspace.shape
        )
    mask = check_mask(mask, kspace.shape[-2:])
    kspace = np.where(mask, kspace, 0)
    if not np.isfinite(kspace).all():
        raise invalid("kspace", "finite samples", found="NaN or infinity")
    check_integer("kernel_size", kernel_size, at_least=1)
    check_integer("iterations", iterations, at_least=1)
    for name, value in (("threshold", threshold), ("crop", crop)):
        check_number(name, value, at_least=0)
        if value > 1:
            raise invalid(name, "a number in [0, 1]", found=value)

    acquired = acquired_side(mask)
    needed = needed_lines(kernel_size)
    side = min(USUAL, acquired) if calibration is None else calibration
    check_integer("calibration", max(side, 1), at_least=1)
    if acquired < needed:
        raise invalid(
            "mask",
            f"a fully acquired centre of at least {needed} lines along each "
            f"axis, which ESPIRiT needs for windows of {kernel_size}×"
            f"{kernel_size}. Learn the mask with a calibration region of "
            f"{needed} (`loupe-tf train --calibration {needed}`), or pass maps "
            "that were measured before (`loupe-tf reconstruct --maps FILE`)",
            found=f"one with {acquired} lines there",
        )
    if not needed <= side <= acquired:
        raise invalid(
            "calibration",
            f"an integer of at least {needed}, for windows of {kernel_size}×"
            f"{kernel_size}, and at most {acquired}, the lines acquired in the "
            "centre",
            calibration,
        )

    maps = np.zeros_like(kspace)
    # A coil that is switched off cannot be the phase reference.
    region = center(kspace, (side, side))
    alive = np.any(region != 0, axis=(1, 2))
    if not alive.any():
        raise invalid("kspace", "non-zero samples in its centre", found="zeros")
    windows = _windows(region[alive], kernel_size, threshold)
    coefficients = _correlations(windows)
    vectors, values = _largest_eigenvectors(
        coefficients, kspace.shape[1:], iterations
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        vectors *= np.conj(vectors[:1] / np.abs(vectors[:1]))
    # Where the first coil has no signal, there is no phase.
    seen = (values > crop) & np.isfinite(vectors).all(axis=0)
    maps[alive] = np.where(seen, vectors, 0)
    return maps


def _windows(region, width, threshold):
    """An orthonormal basis of the windows, `(n, coils, width, width)`."""
    coils = len(region)
    found = np.lib.stride_tricks.sliding_window_view(
        region, (width, width), axis=(1, 2)
    )
    matrix = found.transpose(1, 2, 0, 3, 4).reshape(-1, coils * width**2)
    _, singular, basis = np.linalg.svd(matrix, full_matrices=False)
    basis = basis[singular > threshold * singular.max()]
    return basis.reshape(-1, coils, width, width)


def _correlations(windows):
    """Fourier coefficients of the projection, `(2w - 1, 2w - 1, c, c)`.

    The entry `[w - 1 + dy, w - 1 + dx, i, j]` is the sum over windows V and
    positions p of `V_i(p) conj V_j(p - d) / w²`.
    """
    coils, width = windows.shape[1:3]
    matrix = windows.reshape(len(windows), -1)
    products = (matrix.T @ matrix.conj()).reshape(
        coils, width, width, coils, width, width
    )
    out = np.zeros((2 * width - 1, 2 * width - 1, coils, coils), windows.dtype)
    for y, x in np.ndindex(width, width):
        # The other position runs from (y, x) to (y - width + 1, ...).
        part = products[:, y, x, :, ::-1, ::-1].transpose(2, 3, 0, 1)
        out[y : y + width, x : x + width] += part
    return out / width**2


def _largest_eigenvectors(coefficients, size, iterations):
    """The largest eigenvector and its eigenvalue at each pixel.

    Args:
        coefficients: Array `(d, d, coils, coils)`; see `_correlations`.
        size: Tuple `(H, W)`.
        iterations: Integer, number of power iterations from a vector of ones.

    Returns:
        A pair: unit vectors, complex64 `(coils, H, W)`, and eigenvalues,
        float32 `(H, W)`.
    """
    extent, _, coils, _ = coefficients.shape
    height, width = size
    down, across = (_waves(extent, n) for n in size)
    # One matrix product makes the matrices of several rows.
    rows = np.tensordot(coefficients, across, axes=(1, 1))
    rows = rows.transpose(0, 3, 1, 2).reshape(extent, -1)
    vectors = np.empty((height, width, coils), np.complex64)
    values = np.empty(size, np.float32)
    step = max(1, BLOCK // (8 * coils**2 * width))
    for first in range(0, height, step):
        block = slice(first, first + step)
        matrices = (down[block] @ rows).reshape(-1, width, coils, coils)
        found = _power(matrices, iterations - 1)
        found = matrices @ found
        values[block] = np.linalg.norm(found, axis=(-2, -1))
        vectors[block] = _unit(found)[..., 0]
    return np.moveaxis(vectors, -1, 0), values


def _waves(extent, n):
    """`exp(2πi d x / n)`, complex64 `(n, extent)`, both axes centred."""
    x, d = np.arange(n) - n // 2, np.arange(extent) - extent // 2
    return np.exp(2j * np.pi / n * np.outer(x, d)).astype(np.complex64)


def _power(matrices, exponent):
    """Unit vectors `A^exponent` times ones, by repeated squaring of A."""
    vectors = np.ones((*matrices.shape[:-1], 1), np.complex64)
    while exponent:
        if exponent % 2:
            vectors = _unit(matrices @ vectors)
        exponent //= 2
        if exponent:
            matrices = _unit(matrices @ matrices)
    return _unit(vectors)


def _unit(arrays):
    """Divide each array of the last two axes by its norm, if it is not 0."""
    norm = np.linalg.norm(arrays, axis=(-2, -1), keepdims=True)
    return arrays / np.where(norm > 0, norm, 1)
