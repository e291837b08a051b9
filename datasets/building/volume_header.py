"""The header of a volume."""

import typing


class Header(typing.NamedTuple):
    """The header of a volume, which is known before its images are read.

    Args:
        shape: Tuple `(slices, H, W)`.
        patient: String, the patient, `""` if unknown.
        spacing: Tuple of three floats, the distance between slices, rows and
            columns in mm, or `None` if unknown.
        phase_axis: String, `"H"` or `"W"`, the axis of phase encoding, `""` if
            unknown.
        is_complex: Boolean, whether the numbers in the file are complex.
    """

    shape: tuple
    patient: str = ""
    spacing: tuple | None = None
    phase_axis: str = ""
    is_complex: bool = False
