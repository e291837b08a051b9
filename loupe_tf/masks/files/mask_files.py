"""Masks in the files of scanners and toolboxes."""

import inspect
import pathlib

from loupe_tf import hdf5
from loupe_tf.masks.centre import centred
from loupe_tf.masks.files import arrays, ismrmrd, pulseq, text

# By name: how a mask is written and read.
FORMATS = {
    "npz": (arrays.save_npz, arrays.load_npz),
    "npy": (arrays.save_npy, arrays.load_npy),
    "json": (text.save_json, text.load_json),
    "csv": (text.save_csv, text.load_csv),
    "bart": (arrays.save_bart, arrays.load_bart),
    "fastmri": (arrays.save_fastmri, arrays.load_fastmri),
    "ismrmrd": (ismrmrd.save_ismrmrd, ismrmrd.load_ismrmrd),
    "pulseq": (pulseq.save_pulseq, pulseq.load_pulseq),
}
SUFFIXES = {
    ".npz": "npz",
    ".npy": "npy",
    ".json": "json",
    ".csv": "csv",
    ".cfl": "bart",
    ".hdr": "bart",
    ".h5": "fastmri",
    ".hdf5": "fastmri",
    ".mrd": "ismrmrd",
    ".seq": "pulseq",
}
HDF5 = (".h5", ".hdf5")


def save_mask(mask, path, format=None, shift=None, **options):
    """Write a mask to a file, in the format that its suffix names.

    | suffix | format | holds | options |
    |---|---|---|---|
    | `.npz` | `"npz"` | all, as `SamplingMask.save` | |
    | `.npy` | `"npy"` | the boolean array alone | |
    | `.json` | `"json"` | all, as text | |
    | `.csv` | `"csv"` | all; one line an entry, in order | `order`, `seed` |
    | `.cfl`, `.hdr` | `"bart"` | all; BART's pattern `(H, W)` | `matrix` |
    | `.h5`, `.hdf5` | `"fastmri"` | all; columns as fastMRI's `mask` | |
    | `.mrd` | `"ismrmrd"` | all; encoding, limits, empty acquisitions | `order`, `seed`, `matrix`, `field_of_view`, `slice_thickness` |
    | `.seq` | `"pulseq"` | lines as a gradient-echo protocol | those of `pulseq_sequence` |

    `order` and `seed` are those of `loupe_tf.masks.acquisition_order`; `matrix`
    is the size `(H, W)` of k-space and `field_of_view` that of the image in mm,
    by default what the mask knows of them. The file appears at once and whole.

    In an ISMRMRD file the number of a column (or of a row) is
    `idx.kspace_encode_step_1`, and `x` is the read-out; of points, row and
    column are `kspace_encode_step_1` and `_2`. The limits have the centre
    `N // 2`. Acquisitions are zero, those of the calibration region are
    flagged, and the frequency of protons is 0, for a mask does not know the
    field.

    Args:
        mask: `SamplingMask`.
        path: Path of the file. An HDF5 file that holds anything but a mask is
            not overwritten.
        format: (Optional) one of the names above, for other suffixes:
            `"ismrmrd"` in a `.h5` file.
        shift: What to do with a mask that has DC in a corner: `None` to refuse
            it, `True` to move DC to the centre, `False` to write the mask as it
            is. See `loupe_tf.masks.centred`.
        **options: As in the table.

    Raises:
        ImportError: If a package of the extra `export` is missing, for
            ISMRMRD and Pulseq.
        ValueError: If the format cannot hold the mask, or an argument is
            invalid.

    Example:

    ```python
    loupe_tf.formats.save_mask(mask, "mask.cfl")
    loupe_tf.formats.save_mask(mask, "mask.seq", te=5, tr=20, order="smooth")
    ```
    """  # noqa: E501
    name = _format(path, format)
    suffix = pathlib.Path(path).suffix.lower()
    is_hdf5 = suffix in HDF5 and name in ("fastmri", "ismrmrd")
    if SUFFIXES.get(suffix, name) != name and not is_hdf5:
        raise ValueError(
            f"Invalid value for argument `format`. Expected "
            f"{SUFFIXES[suffix]!r} for a path that ends in {suffix}. "
            f"Received: format={name!r}, path={path}"
        )
    save = FORMATS[name][0]
    # Those of `save_pulseq` are handed on.
    known = pulseq.pulseq_sequence if name == "pulseq" else save
    check_options(name, known, options)
    save(centred(mask, shift), path, **options)


def load_mask(path, format=None, shift=None, **options):
    """Read a mask from a file of any of the formats of `save_mask`.

    What `save_mask` wrote is read back as the same mask, with all attributes;
    from `.npy` as an array alone, and from `.seq` without those parts of the
    provenance that the format has no room for. Files of others are read as far
    as they tell: a `.npy` array, a pattern of BART, of which all rows (or all
    columns) alike mean lines, fastMRI's `mask`, and the acquisitions of an
    ISMRMRD measurement. Nothing is unpickled.

    Args:
        path: Path of the file.
        format: (Optional) one of the names of `save_mask`. By default the
            suffix tells, and of HDF5 files their content.
        shift: What to do with a mask that has DC in a corner, if the file does
            not say where it is: `None` to refuse it, `True` to move DC to the
            centre, `False` to read the mask as it is.
        **options: For ISMRMRD, `encoding`, the number of the encoding space, 0
            by default; `lines`, `"columns"` (by default) or `"rows"`, what the
            lines of a measurement are; and `select`, as in `load_kspace`.

    Returns:
        A `SamplingMask`.

    Raises:
        ImportError: If a package of the extra `export` is missing.
        ValueError: If the file is damaged, is of another format, or has values
            other than 0 and 1, or an argument is invalid.
        OSError: If the file cannot be opened.
    """
    name = _format(path, format)
    if format is None and name == "fastmri":
        with hdf5.open_hdf5(path) as file:
            if hdf5.hdf5_dataset(file, "dataset/xml") is not None:
                name = "ismrmrd"
    load = FORMATS[name][1]
    check_options(name, load, options)
    mask, known = load(path, **options)
    # What says itself where DC is, is moved only when that is asked for.
    return mask if known and shift is None else centred(mask, shift)


def _format(path, name):
    if name is None:
        name = SUFFIXES.get(pathlib.Path(path).suffix.lower())
        if name is None:
            raise ValueError(
                "Invalid value for argument `path`. Expected a path that ends "
                f"in one of {', '.join(SUFFIXES)}, or a format. "
                f"Received: path={path}"
            )
    if name not in FORMATS:
        raise ValueError(
            "Invalid value for argument `format`. Expected one of "
            f"{', '.join(FORMATS)}. Received: format={name!r}"
        )
    return name


def check_options(name, function, options):
    """Refuse options that a format does not take."""
    parameters = inspect.signature(function).parameters
    known = [option for option in parameters if option not in ("mask", "path")]
    known = [f"`{option}`" for option in known]
    unknown = sorted(f"`{option}`" for option in options)
    unknown = [option for option in unknown if option not in known]
    if unknown:
        raise ValueError(
            f"Invalid value for argument `options`. Expected for the format "
            f"{name!r} {', '.join(known) or 'none'}. "
            f"Received: {', '.join(unknown)}"
        )
