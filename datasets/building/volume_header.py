"""What is known of a volume before its images are read."""

import typing


class Header(typing.NamedTuple):
    """What is known of a volume before its images are read.

    Args:
        shape: Tuple `(slices, H, W)`.
        patient: String, the patient, `""` where the file does not say.
        spacing: Tuple of three floats, the distance between slices, rows and
            columns in mm, or `None` where the file does not say.
    """

    shape: tuple
    patient: str = ""
    spacing: tuple | None = None
