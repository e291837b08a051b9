"""The fully acquired centre of k-space, and whether ESPIRiT can use it."""

import numpy as np

KERNEL_SIZE = 6
"""Side of the windows of ESPIRiT by default."""
USUAL = 24
"""Side of the largest region that ESPIRiT takes by default."""


def needed_lines(kernel_size=KERNEL_SIZE):
    """Return the least side of a region for windows of this side.

    Fewer windows do not span all k-space, and the eigenvalues in the object are
    then well below 1.
    """
    return 2 * kernel_size + 1


def acquired_side(mask):
    """Return the side of the largest central square that is fully acquired.

    Args:
        mask: Boolean array `(H, W)`.
    """
    heights = np.arange(1, mask.shape[0] + 1)
    return int(np.max(np.minimum(heights, acquired_widths(mask))))


def maps_from_centre(mask):
    """Say whether ESPIRiT can estimate sensitivity maps from a mask's centre.

    Args:
        mask: `SamplingMask`.

    Returns:
        A pair: the side of the central square that is fully acquired, and a
        sentence without a full stop.
    """
    # Lines that do not know their length are taken to be long enough.
    size = mask.matrix if mask.lines else mask.shape
    size = size or (mask.array.size, mask.array.size)
    side = acquired_side(np.broadcast_to(mask.array, size))
    lines = (mask.lines or "")[: -1 if side == 1 else None]
    has = f"{side} {lines}" if lines else f"{side}×{side} points"
    needed = needed_lines()
    # The number is a rule of `espirit_maps`, not of ESPIRiT.
    ours = f"`espirit_maps`, whose {KERNEL_SIZE}×{KERNEL_SIZE} windows need"
    each = "" if mask.lines else f"×{needed}"
    usual = "" if mask.lines else f"×{USUAL}"
    if side < needed:
        end = f"too few for {ours} {needed}{each}"
    elif side < USUAL:
        end = (
            f"enough for {ours} {needed}{each}, but fewer than the usual "
            f"{USUAL}{usual}"
        )
    else:
        end = f"enough for ESPIRiT, which usually has {USUAL}{usual}"
    return side, f"{has} around DC without a gap: {end}"


def acquired_widths(mask):
    """Return the width of the fully acquired centre for each height.

    Args:
        mask: Boolean array `(H, W)`.

    Returns:
        Integer array `(H,)`. At index h - 1, the largest w for which the
        central h × w entries are all acquired. Along each axis, the centre is
        `[n // 2 - c // 2, n // 2 - c // 2 + c)`, as in
        `loupe_tf.masks.calibration_region`.
    """
    height, width = mask.shape
    middle = width // 2
    left = np.cumprod(mask[:, :middle][:, ::-1], axis=1).sum(axis=1)
    right = np.cumprod(mask[:, middle:], axis=1).sum(axis=1)
    widths = []
    for h in range(1, height + 1):
        first = height // 2 - h // 2
        rows = slice(first, first + h)
        widths.append(min(2 * left[rows].min() + 1, 2 * right[rows].min()))
    return np.array(widths)


def center(kspace, size):
    """Return the central `(h, w)` entries of k-space `(coils, H, W)`."""
    first = [n // 2 - c // 2 for n, c in zip(kspace.shape[-2:], size)]
    rows, columns = (slice(f, f + c) for f, c in zip(first, size))
    return kspace[:, rows, columns]
