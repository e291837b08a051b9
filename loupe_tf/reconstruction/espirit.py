import numpy as np

from loupe_tf.checks import check_integer, check_number, invalid
from loupe_tf.masks.centre import judging
from loupe_tf.numpy_operators import check_complex, check_mask
from loupe_tf.reconstruction.calibration import acquired_widths, center
from loupe_tf.reconstruction.sigpy_problem import import_sigpy


@judging
def espirit_maps(
    kspace,
    mask,
    calibration=None,
    kernel_size=6,
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
        ImportError: If sigpy is not installed (the extra `reconstruction`).

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

    heights = np.arange(1, mask.shape[0] + 1)
    acquired = int(np.max(np.minimum(heights, acquired_widths(mask))))
    # Fewer windows do not span all k-space, and the eigenvalues in the object
    # are then well below 1.
    needed = 2 * kernel_size + 1
    side = min(24, acquired) if calibration is None else calibration
    check_integer("calibration", max(side, 1), at_least=1)
    if side < needed or side > acquired:
        raise invalid(
            "mask" if calibration is None else "calibration",
            f"a fully acquired centre of at least {max(needed, side)} lines "
            "along each axis, which ESPIRiT needs for windows of "
            f"{kernel_size}×{kernel_size} and calibration={calibration}",
            found=f"{acquired} lines acquired, {side} to use",
        )

    sigpy = import_sigpy()
    maps = np.zeros_like(kspace)
    # A coil that is switched off cannot be the phase reference.
    alive = np.any(center(kspace, (side, side)) != 0, axis=(1, 2))
    if not alive.any():
        raise invalid("kspace", "non-zero samples in its centre", found="zeros")
    maps[alive] = sigpy.mri.app.EspiritCalib(
        kspace[alive],
        calib_width=side,
        thresh=threshold,
        kernel_width=kernel_size,
        crop=crop,
        max_iter=iterations,
        show_pbar=False,
    ).run()
    # sigpy divides by zero where the first coil has no signal.
    return np.where(np.isfinite(maps), maps, 0)
