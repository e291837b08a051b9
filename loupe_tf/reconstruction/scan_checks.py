"""Check that raw k-space, a mask and a model fit each other."""

import warnings

import numpy as np

from loupe_tf import masks
from loupe_tf.checks import invalid
from loupe_tf.masks.centre import outside
from loupe_tf.reconstruction.zero_filled import ZeroFilled

# Largest ratio of R to that of the model without a warning.
FAR = 1.25
# Largest ratio of the field of view to that of the mask without a warning.
FAR_VIEW = 1.05
# Largest number of entries that a message names.
NAMED = 8
# Largest share of zeros among a mask's points, and among a line's samples.
FEW = 0.05
PART_OF_LINE = 0.25


def fit_to_size(mask, size):
    """Return the mask for k-space of a size; warn if the read-out differs.

    Args:
        mask: `SamplingMask`. One whose array does not fit the size is returned
            as it is, for `check_mask` to refuse.
        size: Tuple `(H, W)`.
    """
    fits = all(n in (1, m) for n, m in zip(mask.shape, size))
    if not fits or mask.matrix in (None, size):
        return mask
    # Only lines can fit another matrix: a mask of points has its own size.
    along = mask.lines == "rows"
    _warn(
        "the mask is for a matrix of {}×{}, but k-space has {}×{}. The {} are "
        "the same, and each of them has {} samples instead of {}".format(
            *mask.matrix, *size, mask.lines, size[along], mask.matrix[along]
        )
    )
    return mask.replace(matrix=size)


def compare_masks(own, mask, size):
    """Warn if the mask is not one that the model was trained for."""
    if not own:
        return
    if own[0].matrix not in (None, size):
        raise invalid(
            "kspace",
            f"the matrix size {own[0].matrix} of the model",
            found=size,
        )
    overlaps = [masks.overlap(mask, one) for one in own]
    nearest = int(np.argmax([overlap["jaccard"] for overlap in overlaps]))
    own, overlap = own[nearest], overlaps[nearest]
    if overlap["intersection"] == overlap["union"]:
        return
    text = (
        "the mask is not the one that the model was trained for: "
        f"the model's mask also acquires {overlap['share']:.0%} of the entries "
        f"of this mask ({overlap['expected_share']:.0%} by chance)"
    )
    if (mask.lines or "points") != (own.lines or "points"):
        text += (
            f"; it is a mask of {mask.lines or 'points'}, the model's one of "
            f"{own.lines or 'points'}"
        )
    rate, trained = mask.achieved_acceleration, own.achieved_acceleration
    if not 1 / FAR < rate / trained < FAR:
        text += f"; its R = {rate:.3g} is far from R = {trained:.3g}"
    _warn(text)


def compare_views(view, mask):
    """Warn if k-space and the mask have different fields of view."""
    expected = mask.field_of_view
    if view and expected:
        away = np.abs(np.log(np.divide(view, expected)))
        # The field of view of a read-out moves no line.
        across = {"columns": away[1], "rows": away[0]}
        away = across.get(mask.lines, away.max())
        if away > np.log(FAR_VIEW):
            _warn(
                "the mask is for a field of view of {:g}×{:g} mm, but k-space "
                "has {:g}×{:g} mm, so its samples lie elsewhere".format(
                    *expected, *view
                )
            )


def check_slices(read, mask, acquired, maps_of, slices, allow_zeros):
    """Check all slices; return the maximum of the zero-filled volume."""
    largest, brightest, place, unread, zeros = 0.0, 0.0, None, 0, None
    for i in range(slices):
        samples = read(i)
        if not np.isfinite(np.where(acquired, samples, 0)).all():
            raise invalid(
                "kspace",
                f"finite samples in slice {i}",
                found="NaN or infinity",
            )
        height = np.abs(samples).max(axis=0)
        text = _missing(height != 0, mask, i, allow_zeros)
        zeros = zeros or text
        unread += np.sum((height != 0) & ~acquired)
        if height.max() > brightest:
            brightest = height.max()
            place = np.unravel_index(np.argmax(height), height.shape)
        maps = maps_of(samples, i) if maps_of else None
        image = ZeroFilled()(samples, mask, maps)
        largest = max(largest, float(np.abs(image).max()))
    size = acquired.shape
    if place and any(abs(p - n // 2) > n / 4 for p, n in zip(place, size)):
        _warn(
            "the largest sample of k-space, which is usually DC, is at "
            f"{tuple(map(int, place))}, but was expected near the centre "
            f"{tuple(n // 2 for n in size)}"
        )
    if zeros:
        _warn(f"k-space has {zeros}")
    if unread:
        share = unread / (slices * acquired.size)
        _warn(
            f"{share:.1%} of k-space was measured but is not acquired by the "
            "mask, and is not used. Check that this is the mask of the "
            "measurement"
        )
    return largest


def _missing(measured, mask, i, allow_zeros):
    """Describe zeros of a slice in the mask; raise an error if there are many.

    A few points may be zero by chance: the noiseless k-space of a symmetric
    object has zeros. A few samples or the end of a line may be zero, for
    instance with echoes of alternating asymmetry. A measurement of points
    instead of lines lacks more.
    """
    if not measured.any():
        return None  # An empty slice at the end of a volume.
    is_much, reach = False, ""
    if mask.lines:
        lines = measured if mask.lines == "columns" else measured.T
        lines = lines[:, mask.array.ravel()]
        along = np.flatnonzero(lines.any(axis=1))
        if len(along):
            lines = lines[along[0] : along[-1] + 1]
        zeros = 1 - lines.mean(axis=0)
        numbers = np.flatnonzero(mask.array)
        places = numbers[zeros > FEW].tolist()
        is_much = zeros.max() > PART_OF_LINE
        kind, reach = mask.lines, f", up to {zeros.max():.0%} of one"
        length = measured.shape[mask.lines == "rows"]
        if not places and 2 * len(lines) < length:
            return (
                f"zeros in slice {i} in {1 - len(lines) / length:.0%} of each "
                f"of the {kind}, at the ends"
            )
    else:
        places = np.argwhere(mask.array & ~measured).tolist()
        is_much = len(places) > FEW * mask.acquired
        kind = "entries (row, column)"
    if not places:
        return None
    named = ", ".join(str(place) for place in places[:NAMED])
    if len(places) > NAMED:
        named += f" and {len(places) - NAMED} more"
    text = (
        f"zeros in slice {i} in {len(places)} of the {mask.acquired} {kind} of "
        f"the mask{reach}: {named}"
    )
    if is_much and not allow_zeros:
        raise invalid(
            "kspace",
            "samples wherever the mask acquires some, or `allow_zeros` if "
            "zeros were filled in around the measurement",
            found=text,
        )
    return text


def _warn(text):
    """Warn the caller of `reconstruct`."""
    warnings.warn(text[0].upper() + text[1:] + ".", stacklevel=outside())
