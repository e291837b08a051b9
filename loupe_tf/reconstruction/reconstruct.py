"""From raw k-space to an image, with a mask and a model."""

import contextlib
import os
import warnings

import numpy as np
import tqdm

from loupe_tf import masks
from loupe_tf.checks import check_number, invalid
from loupe_tf.formats import load_kspace, load_mask
from loupe_tf.formats.kspace_files import four_axes
from loupe_tf.masks.centre import judged, outside
from loupe_tf.numpy_operators import (
    check_complex,
    check_mask,
)
from loupe_tf.reconstruction.espirit import espirit_maps
from loupe_tf.reconstruction.network import Network
from loupe_tf.reconstruction.reconstructor import Reconstructor
from loupe_tf.reconstruction.zero_filled import ZeroFilled

# By how much R may differ from that of the model before we warn.
FAR = 1.25
# And the field of view from that of the mask.
FAR_VIEW = 1.05
# How many entries a message names.
NAMED = 8
# What share of a mask's points may be zero, and of the samples of a line.
FEW = 0.05
PART_OF_LINE = 0.25


def reconstruct(
    model,
    kspace,
    mask,
    maps=None,
    leading=None,
    scale=None,
    shift=None,
    allow_zeros=False,
    verbose=0,
):
    """Rebuild an image, or a volume, from raw k-space.

    K-space is taken as it was measured with the mask; what the mask does not
    acquire is not read. One slice is in memory at a time, and all of them are
    read twice: to check them and find the scale, and to rebuild them.

    **Scale.** A model is trained on images divided by their volume's maximum,
    and raw k-space has a unit of its own. So k-space is divided by the maximum
    of the zero-filled volume (magnitudes; coils combined by the maps if those
    are an array, otherwise by the root of the sum of squares), and the images
    are multiplied by it: they come out in the unit of the k-space. The
    zero-filled maximum is mostly somewhat lower than that of the true volume;
    where that is known, give it as `scale`.

    **Checks.** What cannot be right is an error: a mask of another size, DC of
    the mask in a corner, k-space that is zero where the mask acquires it,
    unless `allow_zeros`: in more than a twentieth of its points, or in more
    than a quarter of one of its lines. What no line has, at either end, is not
    counted: read-outs are filled with zeros, and echoes asymmetric. What may be
    meant is a warning: a mask other than that of the model, with their
    overlap; an acceleration far from the model's, or a field of view (where
    both are known) far from the mask's; fewer zeros; lines that are zero in
    more than half of their length; samples that the mask does not acquire;
    k-space whose largest sample is not near the centre.

    **Half-planes.** What a model of a half-plane fills in from the mirror is
    filled in here too, from the mask that was measured.

    **Volumes.** The slices of a model of volumes are the positions along the
    read-out, as `loupe_tf.formats.load_kspace` has them of 3-D scans; all go
    through the model at once.

    Args:
        model: A `loupe_model` or another model that
            `loupe_tf.reconstruction.Network` takes; the path of one, `.keras`
            (loaded in Keras's safe mode); or any
            `loupe_tf.reconstruction.Reconstructor`.
        kspace: Complex array, orthonormal, DC at `(H // 2, W // 2)`, of shape
            `(H, W)`, `(slices, coils, H, W)`, or of three axes, for which
            `leading` is needed. Or what has a `shape` and gives a slice for an
            index: a `KspaceVolume`, a data set of h5py. Or the path of a file
            that `loupe_tf.formats.load_kspace` reads.
        mask: `SamplingMask`, or booleans, or 0 and 1, of shape `(H, W)`,
            `(1, W)` or `(H, 1)`, DC in the centre; or the path of a file that
            `loupe_tf.formats.load_mask` reads.
        maps: Sensitivity maps for several coils, complex array
            `(coils, H, W)`, or one for each slice `(slices, coils, H, W)`; or
            `"espirit"`, to estimate them from the centre of k-space of each
            slice (the extra `reconstruction`).
        leading: `"coils"` or `"slices"`: what the first of three axes counts.
        scale: (Optional) positive number by which k-space is divided.
        shift: What to do with a mask that has DC in a corner; see
            `loupe_tf.masks.centred`.
        allow_zeros: Boolean. Whether zeros where the mask acquires samples are
            taken for measured ones, with a warning: some files have columns of
            zeros around what was measured.
        verbose: 0 or 1, for a progress bar over the slices.

    Returns:
        Array `(H, W)`, or `(slices, H, W)` if `kspace` has an axis of slices,
        as files have; float32, or complex64 from reconstructors of complex
        images.

    Raises:
        ValueError: If an argument is invalid, or they do not fit each other.
        ImportError: If sigpy is missing, for ESPIRiT.

    Example:

    ```python
    volume = loupe_tf.reconstruct("model.keras", "scan.h5", mask, "espirit")
    ```
    """
    with contextlib.ExitStack() as stack:
        if isinstance(kspace, str | os.PathLike):
            options = {} if leading is None else {"leading": leading}
            kspace = stack.enter_context(load_kspace(kspace, **options))
            leading = None  # All four axes are there now.
        reconstructor = (
            model if isinstance(model, Reconstructor) else Network(model)
        )
        if not hasattr(kspace, "shape"):
            kspace = np.asarray(kspace)
        shape = four_axes(kspace.shape, leading)
        if isinstance(mask, str | os.PathLike):
            mask = load_mask(mask, shift=shift)
        else:
            if not isinstance(mask, masks.SamplingMask):
                mask = masks.SamplingMask(mask)
            mask = masks.centred(mask, shift)
        stack.enter_context(judged())  # `centred` has seen to it.
        return _reconstruct(
            reconstructor,
            kspace,
            shape,
            mask,
            maps,
            leading,
            scale,
            allow_zeros,
            verbose,
        )


def _reconstruct(
    reconstructor,
    kspace,
    shape,
    mask,
    maps,
    leading,
    scale,
    allow_zeros,
    verbose,
):
    """`reconstruct`, with model, shape of k-space and mask in one form."""
    acquired = check_mask(mask, shape[2:])
    _compare_views(getattr(kspace, "field_of_view", None), mask.field_of_view)
    maps_of = _maps_by_slice(maps, shape, mask)
    if maps is None and shape[1] > 1 and reconstructor.needs_maps:
        raise invalid(
            "maps",
            f"sensitivity maps for the {shape[1]} coils of k-space, or "
            "'espirit'; or leading='slices' if these are slices of one coil",
            found=f"None, leading={leading!r}",
        )
    _compare(reconstructor.own_masks(), mask, shape[2:])
    measured = acquired
    nothing = np.zeros(shape[1:], np.complex64)
    acquired = reconstructor.complete(nothing, measured)[1]
    if acquired is not measured:
        height, width = mask.array.shape  # Lines stay lines.
        mask = masks.SamplingMask(acquired[:height, :width])

    one = len(kspace.shape) == 2 or leading == "coils"

    def read(i):
        samples = kspace[...] if one else kspace[i]
        samples = check_complex("kspace", samples).reshape(shape[1:])
        return reconstructor.complete(samples, measured)[0]

    fixed = None if isinstance(maps, str) else maps_of
    found = _scan(read, mask, acquired, fixed, shape[0], allow_zeros)
    scale = found if scale is None else scale
    check_number("scale", scale, at_least=0)
    if not scale:
        raise invalid(
            "scale" if found else "kspace",
            "a positive number" if found else "acquired samples above 0",
            found=0,
        )

    images = []
    for i in tqdm.trange(
        shape[0], unit="slice", leave=False, disable=not verbose
    ):
        samples = np.where(acquired, read(i), 0) / np.float32(scale)
        part = samples, maps_of(samples, i)
        if reconstructor.is_volume:
            images.append(part)
        else:
            images.append(reconstructor(part[0], mask, part[1]))
    if reconstructor.is_volume:
        # The slices come after the coils.
        kspace, maps = (
            None if part[0] is None else np.stack(part, axis=1)
            for part in zip(*images)
        )
        images = reconstructor.reconstruct(kspace, acquired, maps)
    images = np.stack(images) * np.float32(scale)
    return images[0] if one else images


def _maps_by_slice(maps, shape, mask):
    """Function from the k-space and the number of a slice to its maps."""
    if isinstance(maps, str):
        if maps != "espirit":
            raise invalid("maps", "an array, 'espirit' or None", maps)
        if shape[1] == 1:
            raise invalid("maps", "None for one coil", maps)
        return lambda samples, i: espirit_maps(samples, mask)
    if maps is None:
        return lambda samples, i: None
    maps = np.asarray(maps)
    if maps.shape not in (shape, shape[1:]):
        raise invalid("maps", f"shape {shape[1:]} or {shape}", found=maps.shape)
    return lambda samples, i: maps[i] if maps.ndim == 4 else maps


def _compare(own, mask, size):
    """Warn of a mask that is none of a model's own."""
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
        f"{overlap['share']:.0%} of what it acquires is acquired by the "
        f"model's mask too ({overlap['expected_share']:.0%} by chance)"
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


def _compare_views(view, expected):
    """Warn of k-space whose samples lie at other distances than the mask's."""
    if view and expected:
        away = np.abs(np.log(np.divide(view, expected))).max()
        if away > np.log(FAR_VIEW):
            _warn(
                "the mask is for a field of view of {:g}×{:g} mm, and k-space "
                "has one of {:g}×{:g} mm: its samples lie elsewhere".format(
                    *expected, *view
                )
            )


def _scan(read, mask, acquired, maps_of, slices, allow_zeros):
    """Check all slices; returns the maximum of the zero-filled volume."""
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
            "the largest sample of k-space, which mostly is DC, was found at "
            f"{tuple(map(int, place))}, and expected near the centre "
            f"{tuple(n // 2 for n in size)}"
        )
    if zeros:
        _warn(f"k-space has {zeros}")
    if unread:
        share = unread / (slices * acquired.size)
        _warn(
            f"{share:.1%} of k-space was measured but is not acquired by the "
            "mask, and is not used; if the mask is that of the measurement, it "
            "is another one"
        )
    return largest


def _missing(measured, mask, i, allow_zeros):
    """Text that names what a slice lacks of the mask; an error if it is much.

    Points may be zero by chance: k-space without noise of a symmetric object
    has zeros. So may a few samples of a line, or the end of one, of echoes that
    are asymmetric in turns; points in the place of lines lack more.
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
            "samples wherever the mask acquires some, or `allow_zeros` where "
            "zeros were filled in around what was measured",
            found=text,
        )
    return text


def _warn(text):
    """Warn whoever called `reconstruct`."""
    warnings.warn(text[0].upper() + text[1:] + ".", stacklevel=outside())
