"""Check that DICOM frames form one stack of slices, and sort them.

A series may contain more than one volume: echoes, time points, phases next to
magnitudes, the three directions of a localizer. So all frames must agree in
certain attributes, and no two frames may have the same position.
"""

import numpy as np

from loupe_tf.formats.bad_volume import BadVolumeError

# All images of a volume must agree in these attributes.
SAME = (
    "ComplexImageComponent",
    "StackID",
    "EchoNumbers",
    "EchoTime",
    "EffectiveEchoTime",
    "InversionTime",
    "InversionTimes",
    "TemporalPositionIdentifier",
    "TemporalPositionIndex",
    "DiffusionBValue",
    "FlipAngle",
    "ASLContext",
    "VelocityEncodingDirection",
    "RescaleType",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "InPlanePhaseEncodingDirection",
)
# These attributes may explain why several images have the same position.
PERHAPS = (
    "AcquisitionNumber",
    "FrameAcquisitionNumber",
    "DiffusionDirectionality",
    "DimensionIndexValues",
    "TriggerTime",
    "NominalCardiacTriggerDelayTime",
    "TemporalPositionTimeOffset",
    "RepetitionTime",
    "AcquisitionTime",
    "FrameAcquisitionDateTime",
    "ContentTime",
)
# Scanners round: 1 % of a number, half a degree of a direction.
ROUNDING = 0.01
# Distances between the slices of a stack differ by less than this share of
# their median.
UNEVEN = 0.05
WAY_ON = (
    "Put the images of one volume in their own folder, or convert the series "
    "to NIfTI with dcm2niix, which writes one file per volume"
)


def check_same(path, frames):
    """Reject a series with frames of several volumes."""
    mixed = {}
    types = sorted({frame.image_type for frame in frames})
    if len(types) > 1:
        mixed["ImageType"] = ["\\".join(each) or "none" for each in types]
    components = sorted({frame.component for frame in frames})
    if len(components) > 1:
        mixed["the part of complex images"] = components
    for keyword in SAME:
        values = _distinct([frame.get(keyword) for frame in frames])
        if len(values) > 1:
            mixed[keyword] = values
    if mixed:
        raise BadVolumeError(
            path,
            "Expected one stack of images of one kind. Received: "
            f"{len(frames)} images that differ in {_in_words(mixed)}. "
            f"{WAY_ON}.",
        )


def order_of_slices(path, frames):
    """Sort the frames of one stack.

    Args:
        path: The volume, for errors.
        frames: List of `DicomFrame`.

    Returns:
        A tuple of the sorted frames and the distance between them in mm, or
        `None` if it is unknown. Frames are sorted by position, or by number if
        they have no positions.
    """
    places = [frame.vector("ImagePositionPatient", 3) for frame in frames]
    orientation = frames[0].vector("ImageOrientationPatient", 6)
    placed = sum(place is not None for place in places)
    if 0 < placed < len(frames):
        bare = next(f for f, place in zip(frames, places) if place is None)
        raise BadVolumeError(
            path,
            "Expected ImagePositionPatient in each image. Received: none in "
            f"{bare}.",
        )
    stated = frames[0].length("SpacingBetweenSlices")
    thickness = frames[0].length("SliceThickness")
    if len(frames) == 1:
        return frames, stated or thickness
    if placed and orientation is not None:
        normal = _normal(path, frames[0], orientation)
        places = np.array(places)
        positions, unit = places @ normal, " mm"
    else:
        positions, unit = _numbers(path, frames), ""
    order = np.argsort(positions, kind="stable")
    ordered = [frames[i] for i in order]
    positions = positions[order]
    steps = np.diff(positions)
    if np.any(steps < 1e-3):
        _refuse_several(path, ordered, positions)
    if unit:
        _check_in_plane(
            path, ordered, places[order] - np.outer(positions, normal)
        )
    step = float(np.median(steps))
    _check_even(path, ordered, positions, step, unit)
    if not unit:
        return ordered, stated or thickness
    # Some scanners store only the gap here, which is less than the thickness.
    if stated and stated >= (1 - UNEVEN) * (thickness or stated):
        several = step / stated
        if several > 1.5 and abs(several - round(several)) < UNEVEN:
            raise BadVolumeError(
                path,
                f"Expected slices {stated:.4g} mm apart, according to "
                f"SpacingBetweenSlices. Received: {step:.4g} mm; slices may "
                "be missing.",
            )
    return ordered, step


def _normal(path, frame, orientation):
    """The unit vector normal to the slices."""
    row, column = orientation.reshape(2, 3)
    normal = np.cross(row, column)
    if not abs(np.linalg.norm(normal) - 1) < ROUNDING:
        raise BadVolumeError(
            path,
            "Expected two orthogonal unit vectors in ImageOrientationPatient. "
            f"Received: {orientation.tolist()} in {frame}.",
        )
    return normal


def _check_even(path, ordered, positions, step, unit):
    """Reject slices that are not about `step` apart."""
    steps = np.diff(positions)
    wrong = np.abs(steps - step)
    if wrong.max() > UNEVEN * step:
        i = int(wrong.argmax())
        raise BadVolumeError(
            path,
            f"Expected evenly spaced slices, {step:.4g}{unit} apart like most. "
            f"Received: {steps[i]:.4g}{unit} between {ordered[i]} (at "
            f"{positions[i]:.4g}{unit}) and {ordered[i + 1]} (at "
            f"{positions[i + 1]:.4g}{unit}); a slice may be missing.",
        )


def _numbers(path, frames):
    """The numbers of frames without positions, from 1."""
    keyword = "InstanceNumber"
    if len({id(frame.dataset) for frame in frames}) == 1:
        keyword = "InStackPositionNumber"
    numbers = [frame.get(keyword) for frame in frames]
    if any(number is None for number in numbers):
        bare = frames[numbers.index(None)]
        raise BadVolumeError(
            path,
            "Expected ImagePositionPatient and ImageOrientationPatient, or "
            f"{keyword}, in each image. Received: neither in {bare}.",
        )
    return np.array([float(number) for number in numbers])


def _refuse_several(path, ordered, positions):
    """Raise an error that says how frames at the same position differ."""
    first = int(np.flatnonzero(np.diff(positions) < 1e-3)[0])
    same = [
        frame
        for frame, position in zip(ordered, positions)
        if abs(position - positions[first]) < 1e-3
    ]
    differ = {}
    for keyword in PERHAPS:
        values = _distinct([frame.get(keyword) for frame in same])
        if len(values) > 1:
            differ[keyword] = values
    pair = f"such as {same[0]} and {same[1]}"
    if differ:
        pair += f", which differ in {_in_words(differ)}"
    places = 1 + int(np.sum(np.diff(positions) >= 1e-3))
    raise BadVolumeError(
        path,
        f"Expected one image at each position. Received: {len(ordered)} images "
        f"at {places} positions, {pair}. {WAY_ON}.",
    )


def _check_in_plane(path, ordered, offsets):
    """Reject slices that are shifted in-plane by more than a pixel."""
    shift = np.linalg.norm(offsets - np.median(offsets, axis=0), axis=1)
    pixel = ordered[0].vector("PixelSpacing", 2)
    if shift.max() > (1.0 if pixel is None else pixel.min()):
        raise BadVolumeError(
            path,
            "Expected slices aligned above each other. Received: "
            f"{ordered[int(shift.argmax())]}, shifted by {shift.max():.4g} mm "
            f"in its plane. {WAY_ON}.",
        )


def _distinct(values):
    """The distinct values, up to rounding, sorted."""
    found = []
    for value in values:
        if not any(_equal(value, other) for other in found):
            found.append(value)
    try:
        return sorted(found, key=lambda v: v if np.ndim(v) == 0 else list(v))
    except TypeError:  # The values have several types, or include `None`.
        return found


def _equal(a, b):
    if a == b:
        return True
    if isinstance(a, str) or isinstance(b, str):
        return False
    try:
        a, b = (np.array(x, "float64").reshape(-1) for x in (a, b))
    except (TypeError, ValueError):
        return False
    # Numbers near 0 in a direction are rounded as much as the others.
    scale = ROUNDING * np.abs(a).max(initial=0)
    return a.shape == b.shape and bool(np.all(np.abs(a - b) <= scale))


def _in_words(values):
    def short(value):
        if value is None:
            return "none"
        if np.ndim(value) and not isinstance(value, str):
            return "[" + ", ".join(f"{v:g}" for v in value) + "]"
        return f"{value:g}" if isinstance(value, float) else str(value)

    return ", ".join(
        f"{name} ({', '.join(map(short, each[:3]))}"
        f"{f' and {len(each) - 3} more' if len(each) > 3 else ''})"
        for name, each in values.items()
    )
