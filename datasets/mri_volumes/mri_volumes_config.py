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
    """Selection, split and size of the volumes of a folder.

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
        folder: Path of the folder. Volumes are files with the suffix `.nii`,
            `.nii.gz`, `.h5`, `.hdf5` or `.npy` in it and its subfolders, and
            folders of DICOM files.
        split: How to split the patients. One of:

            - three shares for train, validation and test that sum to 1 (0 for
              no such split): a hash of the patient's name decides, so that a
              patient stays in its split when others are added. If a split
              would be empty, patients are dealt out instead;
            - a dictionary by split of lists of patients; other patients are
              skipped;
            - the path of a CSV file with the column `split` and `volume` (the
              relative path, with or without suffix), `patient` or both; other
              volumes are skipped.
        patient: Regular expression with one group, which is searched in the
            relative path of a volume; the group matches the patient. By default
            the patient is read from DICOM and HDF5 files. A volume of an
            unknown patient counts as a patient.
        include, exclude: Shell pattern or list of patterns for relative paths:
            `"*FLAIR*"`. `*` also matches `/`.
        field_of_view: Two numbers `(H, W)` in mm, or one for both. Images with
            another field of view are cropped around their centre to the
            closest whole number of their own pixels, with an error of at most
            half a pixel. Then their k-space is cropped to `size`, so that all
            voxels have the same size. `True` selects the largest field of view
            that all volumes have. By default the field of view of the files is
            kept.
        size: Two integers, or one for both: the matrix `(H, W)`. With a
            `field_of_view`, the default is the largest even matrix that all
            volumes have acquired. Without one, images are cropped or
            zero-padded around their centre; by default they are unchanged, and
            all must have one size.
        zero_fill: `None`, or, with a `field_of_view`, where zeros may replace
            data that were not acquired: `"image"` around images with a smaller
            field of view, `"kspace"` for a matrix finer than that of the
            files, or `"both"`, which rejects nothing.
        crop_to_acquired: `False`; `True` to crop k-space, before `size`, to
            the acquired extent, which is detected in the images and is the
            same for all; or that extent, two integers. With a `field_of_view`,
            `False` or `True`: the extent is detected in each volume, and a
            `size` beyond it is rejected.
        slice_axis: `None`, 0, 1 or 2, the slice axis of NIfTI files. The
            default is the axis with the longest voxels, else the last axis.
            DICOM series of 3-D scans are cut alike: 0 along the width
            (columns) of their images, 1 along the height (rows); 2 and the
            default keep their slices. For points of a 3-D scan, take the axis
            of the read-out.
        seed: Integer, at least 0. With shares, it changes the choice of
            patients.
        name: Optional string, the name of the configuration and of its folder.
            By default it is made from the name of `folder` and all settings.
        complex_images: Boolean. `False` takes the magnitudes of complex
            images. `True` keeps their phase, through all steps: an image has
            two channels, real and imaginary. Files without a phase are bad
            volumes then.
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
        complex_images=False,
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
                "False or True with `field_of_view`, because a number of lines "
                "means a different resolution in each volume",
                crop_to_acquired,
            )
        self.slice_axis = check_choice(
            "slice_axis", slice_axis, (None, 0, 1, 2)
        )
        self.seed = check_integer("seed", seed, at_least=0)
        self.complex_images = check_choice(
            "complex_images", complex_images, (False, True)
        )
        if name is None:
            stem = re.sub(r"[^\w.-]+", "_", self.folder.resolve().name)
            name = f"{stem or 'volumes'}_{self.digest[:8]}"
        elif not re.fullmatch(r"\w[\w.-]*", name):
            raise invalid("name", "letters, digits, '_', '-' and '.'", name)
        # The builder's layout of the folder, which is read once.
        self.layout = None
        super().__init__(
            name=name,
            description=f"Volumes of {self.folder.name}.",
        )

    @property
    def settings(self):
        """The settings that determine the records, as a dictionary for JSON."""
        split = self.split
        if isinstance(split, CsvSplit):
            split = hashlib.sha256(split.text.encode()).hexdigest()
        # Without it, the settings and digests of older data sets are the same.
        phase = {"complex_images": True} if self.complex_images else {}
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
            **phase,
        }

    @property
    def digest(self):
        """A hash of all settings and the path of the folder."""
        return self.digest_of(self.settings)

    def digest_of(self, settings):
        """The digest that this folder would have with other settings."""
        everything = {**settings, "folder": str(self.folder.resolve())}
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
