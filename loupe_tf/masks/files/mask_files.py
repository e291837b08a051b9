"""Read and write masks in the formats of scanners and toolboxes."""

import pathlib

from loupe_tf import hdf5
from loupe_tf.checks import check_options, invalid
from loupe_tf.file_formats import Format, find_format, names_by_suffix
from loupe_tf.masks.centre import centred
from loupe_tf.masks.files.bart import load_bart, save_bart
from loupe_tf.masks.files.csv_text import load_csv, save_csv
from loupe_tf.masks.files.fastmri import load_fastmri, save_fastmri
from loupe_tf.masks.files.ismrmrd import load_ismrmrd, save_ismrmrd
from loupe_tf.masks.files.json_text import load_json, save_json
from loupe_tf.masks.files.npy import load_npy, save_npy
from loupe_tf.masks.files.npz import load_npz, save_npz
from loupe_tf.masks.files.pulseq import load_pulseq, save_pulseq
from loupe_tf.masks.files.pulseq_sequence import pulseq_sequence

FORMATS = {
    "npz": Format(
        save_npz, load_npz, (".npz",), "all, as `SamplingMask.save` writes it"
    ),
    "npy": Format(save_npy, load_npy, (".npy",), "the boolean array alone"),
    "json": Format(save_json, load_json, (".json",), "all, as text"),
    "csv": Format(
        save_csv,
        load_csv,
        (".csv",),
        "all; the acquired entries one by one, in order of acquisition",
    ),
    "bart": Format(
        save_bart,
        load_bart,
        (".cfl", ".hdr"),
        "BART's pattern, 1 and 0, (H, W)",
    ),
    "fastmri": Format(
        save_fastmri,
        load_fastmri,
        (".h5", ".hdf5"),
        "fastMRI's `mask`; columns only (or ISMRMRD: --format ismrmrd)",
    ),
    "ismrmrd": Format(
        save_ismrmrd,
        load_ismrmrd,
        (".mrd",),
        "ISMRMRD: encoding, limits and the list of acquisitions",
    ),
    "pulseq": Format(
        save_pulseq,
        load_pulseq,
        (".seq",),
        "Pulseq: a spoiled gradient echo of a 2-D (lines) or 3-D (points) scan",
        takes=pulseq_sequence,
    ),
}
"""All formats, by name."""
HDF5 = (".h5", ".hdf5")


def formats_by_suffix():
    """Return a dictionary from suffix to name of the format."""
    return names_by_suffix(FORMATS)


def save_mask(mask, path, format=None, shift=None, **options):
    """Write a mask to a file, in the format given by the suffix.

    | suffix | format | holds | options |
    |---|---|---|---|
    | `.npz` | `"npz"` | everything, as `SamplingMask.save` | |
    | `.npy` | `"npy"` | only the boolean array | |
    | `.json` | `"json"` | everything, as text | |
    | `.csv` | `"csv"` | everything; one line per entry, in order | `order`, `seed` |
    | `.cfl`, `.hdr` | `"bart"` | everything; BART's pattern `(H, W)` | `matrix` |
    | `.h5`, `.hdf5` | `"fastmri"` | everything; columns as fastMRI's `mask` | |
    | `.mrd` | `"ismrmrd"` | everything; encoding, limits, empty acquisitions | `order`, `seed`, `matrix`, `field_of_view`, `slice_thickness` |
    | `.seq` | `"pulseq"` | lines or points as a gradient-echo protocol | those of `pulseq_sequence` |

    `order` and `seed` are those of `loupe_tf.masks.acquisition_order`.
    `matrix` is the size `(H, W)` of k-space, and `field_of_view` the size of
    the image in mm; both default to those of the mask. The file is written
    whole or not at all.

    In an ISMRMRD file, `x` is the read-out of a line, and
    `idx.kspace_encode_step_1` is the index of its column (or row). For points,
    `kspace_encode_step_1` and `_2` are row and column. The centre of the limits
    is `N // 2`. All samples are zero, and acquisitions of the calibration
    region are flagged. The proton frequency is 0, because a mask does not
    depend on the field strength.

    A Pulseq file of points needs `readout`, `(samples, mm)`: a mask of points
    does not have the read-out of a 3-D scan.

    Args:
        mask: `SamplingMask`.
        path: Path of the file. An existing HDF5 file is overwritten only if it
            is a mask.
        format: (Optional) one of the names above, for other suffixes, such as
            `"ismrmrd"` in a `.h5` file.
        shift: How to treat a mask that has DC in a corner: `None` to refuse
            it, `True` to move DC to the centre, `False` to write the mask as it
            is. See `loupe_tf.masks.centred`.
        **options: The options in the table.

    Raises:
        ImportError: If a package of the extra `export` is missing, for
            ISMRMRD and Pulseq.
        ValueError: If the format cannot hold the mask, or an argument is
            invalid.

    Example:

    ```python
    loupe_tf.formats.save_mask(mask, "mask.cfl")
    loupe_tf.formats.save_mask(mask, "mask.seq", te=5, tr=20, order="smooth")
    loupe_tf.formats.save_mask(points, "points.seq", readout=(256, 256))
    ```
    """  # noqa: E501
    name = find_format(FORMATS, path, format)
    suffix = pathlib.Path(path).suffix.lower()
    is_hdf5 = suffix in HDF5 and name in ("fastmri", "ismrmrd")
    usual = formats_by_suffix().get(suffix, name)
    if usual != name and not is_hdf5:
        raise invalid(
            "format",
            f"{usual!r} for a path that ends in {suffix}",
            found=f"format={name!r}, path={path}",
        )
    found = FORMATS[name]
    check_options(f"the format {name!r}", found.functions, options)
    found.save(centred(mask, shift), path, **options)


def read_mask(path, format=None, **options):
    """Read the arguments of a mask from a file.

    Args:
        path, format, **options: See `loupe_tf.formats.load_mask`.

    Returns:
        A pair: a dictionary, the arguments of `SamplingMask`, and a boolean,
        whether the file says that DC is in the centre.
    """
    if format is None and pathlib.Path(path).suffix.lower() == ".keras":
        raise invalid(
            "path",
            "the file of a mask: mask.npz beside the model, if `loupe-tf "
            "train` made it; in Python, `loupe_tf.masks.from_model` reads the "
            "mask of any model",
            found=f"path={path}",
        )
    name = find_format(FORMATS, path, format)
    if format is None and name == "fastmri":
        with hdf5.open_hdf5(path) as file:
            if hdf5.hdf5_dataset(file, "dataset/xml") is not None:
                name = "ismrmrd"
    load = FORMATS[name].load
    check_options(f"the format {name!r}", load, options)
    return load(path, **options)
