"""A volume and the metadata of its file."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Volume:
    """The images of a volume and the metadata of its file.

    Args:
        images: Array of shape `(slices, H, W)`, finite, in the units of the
            file: float32 magnitudes with a maximum above 0, or complex64.
        stored: String, the type of the numbers in the file, such as `"uint16"`.
        patient: String, the patient, `""` if unknown.
        acquisition: String, the sequence, `""` if unknown.
        spacing: Tuple of three floats, the distance between slices, rows and
            columns in mm, or `None` if unknown.
        source: String, `"magnitude_image"`, `"magnitude_of_complex"` (the file
            has phases, which are dropped), `"complex_image"` (with its phase),
            `"signed_image"` (magnitudes with a few small negative values, as
            from interpolation), `"raw_multicoil"`, `"emulated_singlecoil"` or
            `"simulated"`.
        combined_by: String, how the coils were combined: `"none"`, `"rss"`,
            `"emulated_singlecoil"` or `"unknown"`.
        phase_axis: String, `"H"` or `"W"`, the axis of phase encoding, `""` if
            unknown.
    """

    images: np.ndarray
    stored: str
    patient: str = ""
    acquisition: str = ""
    spacing: tuple | None = None
    source: str = "magnitude_image"
    combined_by: str = "unknown"
    phase_axis: str = ""
