"""Read and write trajectories in the formats of scanners and toolboxes."""

from loupe_tf.checks import check_options
from loupe_tf.file_formats import Format, find_format, names_by_suffix
from loupe_tf.ismrmrd_file import import_ismrmrd
from loupe_tf.masks.files.pulseq_events import import_pypulseq
from loupe_tf.trajectories.files.bart import load_bart, save_bart
from loupe_tf.trajectories.files.csv_text import load_csv, save_csv
from loupe_tf.trajectories.files.ismrmrd import load_ismrmrd, save_ismrmrd
from loupe_tf.trajectories.files.neurospin import (
    load_neurospin,
    save_neurospin,
)
from loupe_tf.trajectories.files.npz import load_npz, save_npz
from loupe_tf.trajectories.files.pulseq import load_pulseq, save_pulseq
from loupe_tf.trajectories.files.trajectory_sequence import (
    trajectory_sequence,
)

FORMATS = {
    "npz": Format(
        save_npz, load_npz, (".npz",), "all, as `Trajectory.save` writes it"
    ),
    "csv": Format(
        save_csv,
        load_csv,
        (".csv",),
        "all, as text; one line a sample: shot, sample, kh, kw(, kd)",
    ),
    "bart": Format(
        save_bart,
        load_bart,
        (".cfl", ".hdr"),
        "BART's trajectory, (3, samples, shots), in cycles per field of view",
    ),
    "ismrmrd": Format(
        save_ismrmrd,
        load_ismrmrd,
        (".mrd", ".h5"),
        "ISMRMRD: the trajectory of each acquisition",
        needs=import_ismrmrd,
    ),
    "neurospin": Format(
        save_neurospin,
        load_neurospin,
        (".bin",),
        "mri-nufft's binary format: first positions and gradients",
    ),
    "pulseq": Format(
        save_pulseq,
        load_pulseq,
        (".seq",),
        "Pulseq: a gradient-echo protocol that hardware can run",
        takes=trajectory_sequence,
        needs=import_pypulseq,
    ),
}
"""All formats, by name."""


def formats_by_suffix():
    """Return a dictionary from suffix to name of the format."""
    return names_by_suffix(FORMATS)


def save_trajectory(trajectory, path, format=None, **options):
    """Write a trajectory to a file, in the format given by the suffix.

    | suffix | format | holds | options |
    |---|---|---|---|
    | `.npz` | `"npz"` | everything, as `Trajectory.save` | |
    | `.csv` | `"csv"` | everything; one line a sample | `unit`, `matrix`, `field_of_view` |
    | `.cfl`, `.hdr` | `"bart"` | everything, in single precision; BART's `(3, samples, shots)` | `matrix` |
    | `.mrd`, `.h5` | `"ismrmrd"` | everything, in single precision; one empty acquisition a shot | `matrix`, `field_of_view`, `slice_thickness` |
    | `.bin` | `"neurospin"` | mri-nufft's format: first positions, gradients, matrix and field of view | `matrix`, `field_of_view`, `raster` |
    | `.seq` | `"pulseq"` | a protocol: positions, sizes, dwell time, pattern and hash of the model | those of `trajectory_sequence` |

    A `.seq` file is written only if the hardware can run the trajectory.

    Each format has its own unit and its own order of axes:

    | format | unit | order of axes |
    |---|---|---|
    | `"npz"` | cycles per pixel | (H, W), (D, H, W) |
    | `"csv"` | any: `"cycles/pixel"`, `"radians/pixel"`, `"cycles/fov"`, `"1/m"` | by name: `kh`, `kw`, `kd` |
    | `"bart"` | cycles per field of view | that of the array which `read_cfl` returns: (H, W, 0), (D, H, W) |
    | `"ismrmrd"` | cycles per pixel | (x, y, z): (W, H), (W, H, D) |
    | `"neurospin"` | 1/m and mT/m | that of mri-nufft's image: (H, W), (D, H, W) |
    | `"pulseq"` | 1/m and Hz/m | (x, y): (W, H) |

    `matrix` and `field_of_view` are those of the image, by default the
    trajectory's own. The file is written whole or not at all.

    Args:
        trajectory: `Trajectory`.
        path: Path of the file. An existing HDF5 file is overwritten only if it
            is a trajectory.
        format: (Optional) one of the names above, for other suffixes.
        **options: The options in the table.

    Raises:
        ImportError: If a package of the extra `export` is missing, for
            ISMRMRD.
        ValueError: If the format needs a size, a field of view or a dwell time
            that is not known, or if an argument is invalid.

    Example:

    ```python
    spokes = loupe_tf.trajectories.radial(shots=64, samples=256)
    loupe_tf.formats.save_trajectory(spokes, "spokes.cfl", matrix=(128, 128))
    ```
    """  # noqa: E501
    name = find_format(FORMATS, path, format)
    found = FORMATS[name]
    check_options(f"the format {name!r}", found.functions, options)
    found.save(trajectory, path, **options)


def read_trajectory(path, format=None, **options):
    """Read the arguments of a trajectory from a file.

    Args:
        path, format, **options: See `loupe_tf.formats.load_trajectory`.

    Returns:
        A dictionary, the arguments of `Trajectory`.
    """
    name = find_format(FORMATS, path, format)
    load = FORMATS[name].load
    check_options(f"the format {name!r}", load, options)
    return load(path, **options)
