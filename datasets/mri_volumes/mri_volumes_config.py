"""Configuration of the data set `mri_volumes`."""

import hashlib
import json
import numbers
import pathlib
import re

import tensorflow_datasets as tfds

from loupe_tf.checks import check_choice, check_integer, invalid
from loupe_tf.datasets.mri_volumes.geometry import ZERO_FILL
from loupe_tf.datasets.mri_volumes.patient_split import CsvSplit
from loupe_tf.datasets.resize import check_size
from loupe_tf.datasets.splits import SPLITS


class MriVolumesConfig(tfds.core.BuilderConfig):
    """Which volumes of a folder, how they are split, and of which size.

    Example:

    ```python
    config = MriVolumesConfig(
        "scans",
        include="*FLAIR*",
        patient=r"(patient\\d+)",
        split={"train": ["patient01", "patient12"], "test": ["patient19"]},
        crop_to_acquired=True,
        name="flair",
    )
    builder = tfds.builder("mri_volumes", config=config)
    builder.download_and_prepare()
    ```

    Args:
        folder: Path of the folder. Files that end in `.nii`, `.nii.gz`, `.h5`,
            `.hdf5` and `.npy` in it and below it, and folders of DICOM files,
            are volumes.
        split: How patients are split. One of:

            - three shares of train, validation and test that sum to 1 (0 for a
              split that is not wanted): a hash of the patient's name decides,
              so that a patient stays in its split when others are added
              (unless a split would be empty: few patients are dealt out);
            - a dictionary by split of lists of patients; other patients are
              left out;
            - the path of a CSV file with the column `split` and `volume` (the
              relative path, with or without ending), `patient` or both; other
              volumes are left out.
        patient: Regular expression that is searched in the relative path of a
            volume, with one group: what it matches is the patient. By default
            it is what DICOM and HDF5 files say. A volume of an unknown patient
            counts as a patient.
        include, exclude: Pattern, or list of patterns, as those of a shell, of
            relative paths: `"*FLAIR*"`. `*` matches `/` too.
        field_of_view: Two numbers `(H, W)` in mm, or one for both: images of
            other fields of view are cropped around their centre to the whole
            number of their own pixels that is nearest, so that it is kept to
            half a pixel; then their k-space is cropped to `size`, so that
            voxels become alike too. `True` for the largest that all volumes
            have. By default the field of view is that of the files.
        size: Two integers, or one for both: the matrix `(H, W)`. With a
            `field_of_view` by default the largest, of even numbers, that all
            volumes have acquired. Without one, images are cropped or padded
            with zeros around their centre; by default they stay as they are,
            and all must have one size.
        zero_fill: `None`, or where, with a `field_of_view`, zeros may stand
            for what was not acquired: `"image"` around images of a smaller
            field of view, `"kspace"` for a matrix finer than that of the
            files, or `"both"`. Nothing is refused then.
        crop_to_acquired: `False`; `True` to crop k-space, before `size`, to
            the extent that was acquired, which is found in the images and is
            the same for all; or that extent, two integers. With a
            `field_of_view`, `False` or `True`: the extent is found in each
            volume, and a `size` beyond it is refused.
        slice_axis: `None`, 0, 1 or 2, the axis of NIfTI files that counts
            slices. By default the one along which voxels are longest, else the
            last.
        seed: Integer, at least 0. With shares, another choice of patients.
        name: Optional string, the name of the configuration and of its folder.
            By default it is made from the name of `folder` and all settings.
    """

    def __init__(
        self,
        folder,
        split=(0.7, 0.15, 0.15),
        patient=None,
        include="*",
        exclude=None,
        size=None,
        crop_to_acquired=False,
        slice_axis=None,
        seed=0,
        name=None,
        field_of_view=None,
        zero_fill=None,
    ):
        self.folder = pathlib.Path(folder).expanduser()
        self.split = _split(split)
        self.patient = _pattern(patient)
        self.include = include
        self.exclude = exclude
        self.size = _size("size", size)
        self.crop_to_acquired = (
            crop_to_acquired
            if isinstance(crop_to_acquired, bool)
            else _size("crop_to_acquired", crop_to_acquired)
        )
        self.field_of_view = _field_of_view(field_of_view)
        if zero_fill not in ZERO_FILL or (zero_fill and not field_of_view):
            raise invalid(
                "zero_fill",
                f"one of {ZERO_FILL}, with a `field_of_view`",
                zero_fill,
            )
        self.zero_fill = zero_fill
        if field_of_view and not isinstance(crop_to_acquired, bool):
            raise invalid(
                "crop_to_acquired",
                "False or True beside `field_of_view`, for a number of lines "
                "means another resolution in each volume",
                crop_to_acquired,
            )
        self.slice_axis = check_choice(
            "slice_axis", slice_axis, (None, 0, 1, 2)
        )
        self.seed = check_integer("seed", seed, at_least=0)
        if name is None:
            stem = re.sub(r"[^\w.-]+", "_", self.folder.resolve().name)
            name = f"{stem or 'volumes'}_{self.digest[:8]}"
        elif not re.fullmatch(r"\w[\w.-]*", name):
            raise invalid("name", "letters, digits, '_', '-' and '.'", name)
        # What the builder finds in the folder: read once.
        self.layout = None
        super().__init__(
            name=name,
            description=f"Volumes of {self.folder.name}.",
        )

    @property
    def settings(self):
        """What decides which records there are, as a dictionary for JSON."""
        split = self.split
        if isinstance(split, CsvSplit):
            split = hashlib.sha256(split.text.encode()).hexdigest()
        return {
            "split": split,
            "patient": self.patient,
            "include": self.include,
            "exclude": self.exclude,
            "field_of_view": self.field_of_view,
            "size": self.size,
            "zero_fill": self.zero_fill,
            "crop_to_acquired": self.crop_to_acquired,
            "slice_axis": self.slice_axis,
            "seed": self.seed,
        }

    @property
    def digest(self):
        """Tells all settings, and the place of the folder, apart."""
        everything = {**self.settings, "folder": str(self.folder.resolve())}
        text = json.dumps(everything, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def _split(split):
    if isinstance(split, str | pathlib.Path):
        return CsvSplit(split)
    if isinstance(split, dict):
        if not split or not set(split) <= set(SPLITS):
            raise invalid(
                "split", f"a dictionary whose keys are among {SPLITS}", split
            )
        return {name: list(map(str, split[name])) for name in split}
    try:
        shares = tuple(map(float, split))
    except (TypeError, ValueError):
        shares = ()
    if len(shares) != 3 or min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
        raise invalid(
            "split",
            "three shares of at least 0 that sum to 1, a dictionary of lists "
            "of patients, or the path of a CSV file",
            split,
        )
    return shares


def _pattern(pattern):
    if pattern is None:
        return None
    try:
        groups = re.compile(pattern).groups
    except (re.error, TypeError):
        groups = None
    if groups != 1:
        raise invalid("patient", "a regular expression with one group", pattern)
    return pattern


def _size(name, size):
    if size is None:
        return None
    return check_size(name, (size, size) if type(size) is int else size)


def _field_of_view(view):
    if view is None or view is True:
        return view
    both = (view, view) if isinstance(view, numbers.Real) else view
    try:
        both = tuple(float(mm) for mm in both)
    except (TypeError, ValueError):
        both = ()
    if (
        isinstance(view, bool | str)
        or len(both) != 2
        or not all(0 < mm < float("inf") for mm in both)
    ):
        raise invalid(
            "field_of_view",
            "`True`, or two positive numbers (H, W) in mm",
            view,
        )
    return both
