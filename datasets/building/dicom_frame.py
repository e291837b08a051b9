"""One frame of a DICOM object and its attributes."""

import numpy as np

# The functional group of each attribute in enhanced objects. Other attributes
# are at the top level, where classic objects have all of them.
GROUPS = {
    "ImagePositionPatient": "PlanePositionSequence",
    "ImageOrientationPatient": "PlaneOrientationSequence",
    "PixelSpacing": "PixelMeasuresSequence",
    "SliceThickness": "PixelMeasuresSequence",
    "SpacingBetweenSlices": "PixelMeasuresSequence",
    "InPlanePhaseEncodingDirection": "MRFOVGeometrySequence",
    "RescaleSlope": "PixelValueTransformationSequence",
    "RescaleIntercept": "PixelValueTransformationSequence",
    "RescaleType": "PixelValueTransformationSequence",
    "StackID": "FrameContentSequence",
    "InStackPositionNumber": "FrameContentSequence",
    "TemporalPositionIndex": "FrameContentSequence",
    "DimensionIndexValues": "FrameContentSequence",
    "FrameAcquisitionNumber": "FrameContentSequence",
    "FrameAcquisitionDateTime": "FrameContentSequence",
    "FrameType": "MRImageFrameTypeSequence",
    "ComplexImageComponent": "MRImageFrameTypeSequence",
    "EffectiveEchoTime": "MREchoSequence",
    "InversionTimes": "MRModifierSequence",
    "FlipAngle": "MRTimingAndRelatedParametersSequence",
    "DiffusionBValue": "MRDiffusionSequence",
    "DiffusionDirectionality": "MRDiffusionSequence",
    "ASLContext": "MRArterialSpinLabelingSequence",
    "VelocityEncodingDirection": "MRVelocityEncodingSequence",
    "NominalCardiacTriggerDelayTime": "CardiacSynchronizationSequence",
    "TemporalPositionTimeOffset": "TemporalPositionSequence",
}
# GE stores the component here instead of in the image type: 1, 2, 3 for these.
GE_COMPONENT = (0x0043, 0x102F)
COMPONENTS = {
    "phase": ("P", "PHASE", "PHASE MAP", "VELOCITY", "VELOCITY MAP"),
    "real part": ("R", "REAL"),
    "imaginary part": ("I", "IMAGINARY"),
}


# The axis of the image for the words of classic and enhanced objects: in a row,
# the position along W changes.
PHASE_AXES = {"ROW": "W", "COL": "H", "COLUMN": "H"}


class DicomFrame:
    """One frame of a DICOM object and its attributes.

    Args:
        dataset: A `pydicom.Dataset`.
        number: Integer, the index of the frame, from 0.
        file: String, the name of the file.
    """

    def __init__(self, dataset, number, file):
        self.dataset = dataset
        self.number = number
        self.file = file
        shared = dataset.get("SharedFunctionalGroupsSequence")
        frames = dataset.get("PerFrameFunctionalGroupsSequence")
        self._groups = [
            *([frames[number]] if frames else []),
            *([shared[0]] if shared else []),
        ]

    def __str__(self):
        if int(self.dataset.get("NumberOfFrames") or 1) == 1:
            return self.file
        return f"frame {self.number + 1} of {self.file}"

    def get(self, keyword):
        """The value of an attribute, or `None` if it is missing.

        The functional groups of the frame are searched first, then the shared
        groups, then the top level.
        """
        name = GROUPS.get(keyword)
        for groups in self._groups:
            items = groups.get(name) if name else None
            value = items[0].get(keyword) if items else None
            if value is not None and value != "":
                return value
        value = self.dataset.get(keyword)
        return None if value == "" else value

    def vector(self, keyword, length):
        """The numbers of an attribute: float64 of shape `(length,)`, or `None`.

        Raises:
            ValueError: If the length differs or a number is not finite.
        """
        value = self.get(keyword)
        if value is None:
            return None
        value = np.array(value, "float64").reshape(-1)
        if value.shape != (length,) or not np.isfinite(value).all():
            raise ValueError(f"{keyword} of {self} is {value.tolist()}")
        return value

    def length(self, keyword):
        """A length in mm, or `None` if it is missing or not above 0."""
        value = self.get(keyword)
        value = None if value is None else float(value)
        return value if value is not None and 0 < value < np.inf else None

    @property
    def image_type(self):
        """Tuple of strings, such as `("ORIGINAL", "PRIMARY", "M")`."""
        value = self.get("FrameType") or self.get("ImageType") or ()
        value = [value] if isinstance(value, str) else value
        return tuple(str(part).upper() for part in value)

    @property
    def component(self):
        """The part of complex images that it shows, such as `"magnitude"`."""
        # "MIXED" only means that frames differ.
        stated = str(self.get("ComplexImageComponent") or "").upper()
        parts = [stated] if stated not in ("", "MIXED") else self.image_type[2:]
        for name, words in COMPONENTS.items():
            if any(p in words or p.startswith(f"{words[0]}_") for p in parts):
                return name
        private = self.dataset.get(GE_COMPONENT)
        if private is not None:
            value = np.ravel(private.value)[:1]
            for number, name in enumerate(COMPONENTS, start=1):
                if value.dtype.kind in "iu" and number in value:
                    return name
        return "magnitude"

    @property
    def phase_axis(self):
        """The axis of phase encoding, `"H"` or `"W"`, or `""` if unknown."""
        stated = str(self.get("InPlanePhaseEncodingDirection") or "")
        return PHASE_AXES.get(stated.strip().upper(), "")

    @property
    def rescale(self):
        """Pair of floats, slope and intercept."""
        slope, intercept = (
            self.get("RescaleSlope"),
            self.get("RescaleIntercept"),
        )
        slope = 1.0 if slope is None else float(slope)
        intercept = 0.0 if intercept is None else float(intercept)
        if slope == 0 or not np.isfinite([slope, intercept]).all():
            raise ValueError(
                f"{self} has RescaleSlope {slope} and RescaleIntercept "
                f"{intercept}"
            )
        return slope, intercept
