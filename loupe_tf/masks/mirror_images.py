"""Whether a mask acquires both of two mirror images of k-space."""

import numpy as np

from loupe_tf.masks.budget import calibration_region
from loupe_tf.masks.half_plane import mirrored
from loupe_tf.masks.pattern import PATTERNS
from loupe_tf.masks.patterns import distance_from_dc

# Fewer mirror images than this share of what chance gives are few, ...
SHARE_OF_CHANCE = 0.25
# ... if chance gives so many that their absence says something.
ENOUGH_BY_CHANCE = 4
RINGS = 8


def mirror_images(mask):
    """Count the acquired entries whose mirror image is acquired too.

    The mirror image of the entry at `k` is the one at `-k`, about DC. The
    calibration region does not count, nor does an entry that has no mirror
    image: DC, and for an even size N the edge at `-N / 2`.

    Args:
        mask: `SamplingMask`.

    Returns:
        A dictionary with three entries. `outside` is the number of acquired
        entries (or lines) outside the calibration region that have a mirror
        image, and `mirrored` the number of those whose mirror image is
        acquired. `by_chance` is the value of `mirrored` expected of a mask
        drawn at random with the same density: of `m` acquired entries among
        the `n` of one of 8 rings around DC, `m (m - 1) / (n - 1)`.

    Example:

    >>> mirror_images(SamplingMask([[0, 1, 0, 1, 1, 1, 0]], calibration=1))
    {'outside': 3, 'mirrored': 2, 'by_chance': 2.0}
    """
    array = mask.array
    counts = _outside_the_centre(mask) & ~_edge(mask.shape)
    acquired = counts & array

    distance = distance_from_dc(mask.shape)
    rings = distance * (RINGS / max(distance.max(), 1e-9))
    rings = np.minimum(rings.astype(int), RINGS - 1)
    n = np.bincount(rings[counts], minlength=RINGS)
    m = np.bincount(rings[acquired], minlength=RINGS)
    return {
        "outside": int(acquired.sum()),
        "mirrored": int((acquired & mirrored(array)).sum()),
        "by_chance": float(np.sum(m * (m - 1) / np.maximum(n - 1, 1))),
    }


def without_mirror_image(mask):
    """Count the acquired entries that `mirror_images` leaves out at the edge.

    Args:
        mask: `SamplingMask`.

    Returns:
        Integer, the number of acquired entries outside the calibration region
        that lie at `-N / 2` of an even size N, DC not counted.
    """
    edge = _outside_the_centre(mask) & _edge(mask.shape)
    return int((edge & mask.array).sum())


def lacks_mirror_images(mask):
    """Say whether a mask leaves out the mirror images of its entries.

    The k-space of an image without a phase is Hermitian: either of two mirror
    images determines the other, and a mask learned from such images acquires
    only one of them. Scans have a phase, and need both.

    Few means less than a quarter of `by_chance`, as `mirror_images` counts it,
    where that is at least 4; otherwise there are too few entries for a verdict.
    Fewer than 4 % of masks drawn at random are so poor, for 64 to 320 lines and
    R from 2 to 8. The fixed patterns of this package, of which
    `equispaced_lines` may leave out all mirror images, get no verdict either.

    Args:
        mask: `SamplingMask`.

    Returns:
        A text of a few sentences, `""` if the mask does not lack them. It is no
        error: a mask of partial Fourier lacks them on purpose.

    Example:

    >>> half = SamplingMask([[0] * 16 + [1] * 17], calibration=1)
    >>> lacks_mirror_images(half).partition(",")[0]
    '0 of 16 outer lines have their mirror image acquired'
    """
    facts = mask.provenance
    pattern = facts.get("pattern")
    found = mirror_images(mask)
    chance = found["by_chance"]
    # Fixed patterns leave them out by chance, or on purpose.
    if (
        pattern in PATTERNS
        or pattern == "fastmri_lines"
        or chance < ENOUGH_BY_CHANCE
        or found["mirrored"] >= SHARE_OF_CHANCE * chance
    ):
        return ""
    text = (
        f"{acquired_text(found, mask)}, where a random mask of this density "
        f"has about {chance:.0f}. "
    )
    known = facts.get("half_plane") or facts.get("simulated_phase")
    if pattern == "learned" and not known:
        return text + (
            "The mask was probably learned from images without a phase. It "
            "leaves out one half of k-space, which a scan cannot do without: "
            "learn it from images with a phase (`loupe-tf train --phase`) "
            "before you take it to a scanner."
        )
    return text + (
        "Masks learned from images without a phase leave out one half of "
        "k-space like this, and so do those of partial Fourier, or of lines "
        "at equal distances. Take it to a scanner only with a reconstruction "
        "that is made for it."
    )


def acquired_text(found, mask):
    """What `mirror_images` has found of a mask, in words."""
    count = found["mirrored"]
    have = "has its" if count == 1 else "have their"
    return (
        f"{count} of {found['outside']} outer "
        f"{'lines' if mask.lines else 'points'} {have} mirror image acquired"
    )


def _outside_the_centre(mask):
    """Mark all entries but the calibration region and DC."""
    found = ~calibration_region(mask.shape, mask.calibration)
    found[tuple(n // 2 for n in mask.shape)] = False
    return found


def _edge(shape):
    """Mark the entries at `-N / 2`, which have no mirror image."""
    found = np.zeros(shape, bool)
    for axis, size in enumerate(shape):
        if size > 1 and size % 2 == 0:
            np.moveaxis(found, axis, 0)[0] = True
    return found
