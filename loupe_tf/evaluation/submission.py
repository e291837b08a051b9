"""Submissions to the 2020 fastMRI challenge: written, checked and judged."""

import pathlib

import numpy as np

from loupe_tf import hdf5
from loupe_tf.atomic import hdf5_written
from loupe_tf.checks import check_choice, invalid
from loupe_tf.evaluation.fastmri_metrics import (
    fastmri_metrics,
    foreground_ssim,
)
from loupe_tf.formats import BadFileError
from loupe_tf.formats.fastmri_file import FastmriFile
from loupe_tf.masks import SamplingMask, fastmri_lines
from loupe_tf.numpy_fourier import ifft2c
from loupe_tf.numpy_operators import root_sum_of_squares
from loupe_tf.reconstruction import pad_readout
from loupe_tf.reconstruction.network import as_reconstructor

TRACKS = {"4x": 4, "8x": 8, "transfer": 4}
"""R of each track of the challenge, by name."""

NAME = "reconstruction"
METRICS = ("ssim", "psnr", "nmse", "ssim_foreground")


def challenge_mask(path, track):
    """Return the columns that a volume of a challenge has acquired.

    Args:
        path: Path of a file of fastMRI.
        track: String, one of `TRACKS`.

    Returns:
        A `SamplingMask` of shape `(1, W)`: that of the file if there is one,
        as in the files of a challenge; otherwise `fastmri_lines` with the R of
        the track and the seed of the file's name, as fastMRI evaluates.

    Raises:
        ValueError: If the file cannot be used, or the track is unknown.
    """
    with FastmriFile(path) as file:
        return _mask(file, TRACKS[check_choice("track", track, TRACKS)])


def rebuild_volume(reconstructor, path, track, rows=None):
    """Rebuild a volume of a challenge from its acquired columns.

    K-space is divided by the maximum of the zero-filled volume, as a trained
    network expects, and the images are multiplied by it. They are cropped as
    fastMRI does, to the reconstruction's size in the header or, where k-space
    has fewer columns, to a square of these.

    Args:
        reconstructor: Callable `(kspace, mask, maps)`, such as a
            `loupe_tf.reconstruction.Reconstructor`, or a trained model; it
            gets several coils and no maps.
        path: Path of a multi-coil file of fastMRI.
        track: String, one of `TRACKS`.
        rows: Integer, the number of rows of k-space that the reconstructor was
            trained with. Shorter read-outs are padded to it; see
            `loupe_tf.reconstruction.pad_readout`. By default none is.

    Returns:
        Float32 array `(slices, h, w)`, magnitudes in the unit of the file.

    Raises:
        ValueError: If the file cannot be used, or the track is unknown.
    """
    reconstructor = as_reconstructor(reconstructor)
    mask = challenge_mask(path, track)
    with FastmriFile(path) as file:
        if len(file.kspace_shape) != 4:
            raise BadFileError(
                path,
                "Expected k-space (slices, coils, H, W). Received: "
                f"shape={file.kspace_shape}",
            )
        size = _size(file)

        def measured(i):
            kspace = np.where(mask.array, file.kspace(i), 0)
            if rows is not None and rows > kspace.shape[-2]:
                kspace = pad_readout(kspace, rows)
            return kspace.astype(np.complex64)

        count = file.kspace_shape[0]
        scale = max(
            root_sum_of_squares(ifft2c(measured(i))).max() for i in range(count)
        )
        # An empty volume stays empty.
        scale = np.float32(scale or 1)
        images = [
            np.abs(reconstructor(measured(i) / scale, mask, None)) * scale
            for i in range(count)
        ]
    return _crop(np.stack(images), size).astype(np.float32)


def write_submission(folder, name, images):
    """Write the reconstruction of a volume as the challenge asks for it.

    The file `<name>.h5` has the data set `reconstruction`, float32
    `(slices, h, w)`.

    Args:
        folder: Path of the submission. It is made if needed.
        name: String, the name of the volume: that of its file, with or without
            the suffix `.h5`.
        images: Magnitudes, `(slices, h, w)`.

    Raises:
        ValueError: If `images` has other axes or is not finite.
    """
    images = np.asarray(images)
    if images.ndim != 3 or images.dtype.kind not in "fiu":
        raise invalid(
            "images",
            "real numbers (slices, h, w)",
            found=f"shape={images.shape}, dtype={images.dtype}",
        )
    images = images.astype(np.float32)
    if not np.isfinite(images).all():
        raise invalid("images", "finite numbers", found="NaN or infinity")
    path = pathlib.Path(folder) / f"{str(name).removesuffix('.h5')}.h5"
    with hdf5_written(path) as file:
        file.create_dataset(NAME, data=images)


def check_submission(folder, truth):
    """List all that is wrong with a submission.

    Args:
        folder: Path of the submission, files as from `write_submission`.
        truth: Path of the folder with the volumes of the challenge, fully
            sampled files of fastMRI.

    Returns:
        A list of strings, empty if the submission can be judged: volumes that
        are missing, files of no volume, reconstructions of a wrong shape, with
        values that are not finite, or that cannot be read; and volumes of
        `truth` that cannot be used themselves.

    Raises:
        ValueError: If one of the folders is none, or `truth` has no volume.
    """
    return [text for _, text in _look(folder, truth) if text]


def judge_submission(folder, truth):
    """Judge a submission by volume, with the metrics of the challenge.

    As in fastMRI's evaluation, both images are cropped to a square of the
    target's width. Nothing is judged unless all volumes can be.

    Args:
        folder, truth: As for `check_submission`.

    Returns:
        A dictionary from the name of each volume to a dictionary of the
        results of `fastmri_metrics`, `"ssim_foreground"`
        (`foreground_ssim`), and the keys `"contrast"` (string),
        `"field_strength"` (float in tesla, or `None`), `"vendor"`, `"model"`
        (strings), `"coils"` (integer) and `"patient"` (string).

    Raises:
        ValueError: If anything is wrong. The message has the whole list of
            `check_submission`.

    Example:

    ```python
    found = loupe_tf.evaluation.judge_submission("mine", "multicoil_val")
    by = loupe_tf.evaluation.break_down(found, "contrast")
    ```
    """
    looked = _look(folder, truth)
    wrong = [text for _, text in looked if text]
    if wrong:
        raise invalid(
            "folder",
            "a submission of all volumes",
            found=f"{folder}, of which nothing was judged:\n  "
            + "\n  ".join(wrong),
        )
    found = {}
    for path, _ in looked:
        with FastmriFile(path) as file:
            target = file.target()
            facts = {
                "contrast": file.acquisition,
                **file.scanner,
                "coils": file.kspace_shape[1],
                "patient": file.patient,
            }
        output = _read(pathlib.Path(folder) / path.name)
        side = min(target.shape[1:])
        target, output = (
            _crop(x, (side, target.shape[2])) for x in (target, output)
        )
        found[path.stem] = {
            **fastmri_metrics(target, output),
            "ssim_foreground": foreground_ssim(target, output),
            **facts,
        }
    return found


def break_down(found, by):
    """Average the metrics of volumes that have something in common.

    Args:
        found: The result of `judge_submission`.
        by: String, a key of its volumes, such as `"contrast"` or
            `"field_strength"`.

    Returns:
        A dictionary from the value of that key to a dictionary of the means
        of all metrics over its volumes, and `"volumes"`, their number; sorted
        by the value, unknown values last.

    Raises:
        ValueError: If volumes have no such key.
    """
    groups = {}
    for name, volume in found.items():
        if by not in volume or by in METRICS:
            known = [key for key in volume if key not in METRICS]
            raise invalid("by", f"one of {known}, as {name} has", by)
        groups.setdefault(volume[by], []).append(volume)
    return {
        value: {
            **{key: float(np.mean([v[key] for v in each])) for key in METRICS},
            "volumes": len(each),
        }
        for value, each in sorted(
            groups.items(), key=lambda pair: (pair[0] in (None, ""), pair[0])
        )
    }


def _mask(file, rate):
    width = file.kspace_shape[-1]
    if file.mask is not None:
        return SamplingMask(file.mask[None])
    return fastmri_lines(width, rate, seed=file.path.name)


def _size(file):
    """Return the size that fastMRI crops a reconstruction to."""
    height, width = file.header["recon_size"][:2]
    columns = file.kspace_shape[-1]
    return (columns, columns) if columns < width else (height, width)


def _crop(images, size):
    """Crop to the centre as fastMRI does; axes that are smaller stay."""
    height, width = (min(n, m) for n, m in zip(images.shape[-2:], size))
    y, x = ((n - m) // 2 for n, m in zip(images.shape[-2:], (height, width)))
    return images[..., y : y + height, x : x + width]


def _look(folder, truth):
    """Pair each volume of the truth, and each stray file, with what is wrong.

    Returns:
        A list of pairs of a path and a text, which is empty if nothing is.
    """
    folder, truth = pathlib.Path(folder), pathlib.Path(truth)
    for name, path in (("folder", folder), ("truth", truth)):
        if not path.is_dir():
            raise invalid(name, "a folder", path)
    paths = sorted(truth.glob("*.h5"))
    if not paths:
        raise invalid("truth", "a folder with volumes, files *.h5", truth)
    names = {path.name for path in paths}
    strays = sorted(p for p in folder.glob("*") if p.name not in names)
    return [
        *((path, _problem(folder / path.name, path)) for path in paths),
        *((path, f"{path.name}: no volume of {truth}") for path in strays),
    ]


def _problem(path, truth):
    """Say what is wrong with one file of a submission, or with its truth."""
    try:
        with FastmriFile(truth) as file:
            target = file.target()
            if len(file.kspace_shape) != 4:
                return f"{truth.name}: one coil in {truth.parent}"
            if np.ptp(target) == 0:
                return f"{truth.name}: all equal in {truth.parent}"
    except ValueError as error:
        return str(error)
    if not path.exists():
        return f"{path.name}: missing"
    try:
        output = _read(path)
    except ValueError as error:
        return str(error)
    if output.shape != target.shape:
        return f"{path.name}: shape {output.shape} instead of {target.shape}"
    wrong = np.count_nonzero(~np.isfinite(output))
    if wrong:
        return f"{path.name}: {wrong} values that are not finite"
    return ""


def _read(path):
    """Read the reconstruction in a file of a submission."""
    with hdf5.open_hdf5(path) as file:
        dataset = hdf5.hdf5_dataset(file, NAME)
        if dataset is None or dataset.dtype.kind not in "fiu":
            raise BadFileError(
                path,
                f"Expected real numbers in a data set {NAME}. Received: HDF5 "
                f"with {hdf5.hdf5_names(file)}",
            )
        return np.asarray(hdf5.read_hdf5(dataset))
