"""Simulated files in fastMRI's schema."""

import pathlib

import h5py
import numpy as np

from loupe_tf.checks import check_choice, invalid
from loupe_tf.datasets.building.fastmri_schema import (
    check_recon_size,
    crop,
    make_header,
    view_of,
)
from loupe_tf.datasets.building.random_object import (
    SCALE,
    random_maps,
    random_object,
)
from loupe_tf.formats.fastmri_file import SIMULATED
from loupe_tf.numpy_fourier import fft2c, ifft2c

ACQUISITIONS = {
    "knee": ("CORPD_FBK", "CORPDFS_FBK"),
    "brain": ("AXT2", "AXT1", "AXFLAIR", "AXT1POST"),
}
SIZES = {"knee": (640, 368), "brain": (640, 320)}


def write_fastmri_volume(
    path,
    slices=36,
    size=(640, 368),
    recon_size=(320, 320),
    coils=None,
    acquired=None,
    acquisition="CORPD_FBK",
    patient_id="simulated",
    mask=None,
    noise=0.02,
    seed=0,
):
    """Write one HDF5 file like those of the fastMRI data set.

    The object is a stack of random ellipses with a smooth texture and a smooth
    phase. It lies in the central part of the field of view, which the
    reconstructions show: k-space is oversampled, as in real files. Columns on
    both sides that were not acquired are zero.

    The file has these data sets: `kspace`, complex64 of shape `(slices, H, W)`
    or `(slices, coils, H, W)`, orthonormal with DC in the centre;
    `reconstruction_rss` and, without coils, `reconstruction_esc`, float32 of
    shape `(slices, h, w)`; and `ismrmrd_header`. The attributes `max` and
    `norm` refer to `reconstruction_esc`, or with coils to
    `reconstruction_rss`. Without coils, `reconstruction_rss` is the noise-free
    image. The header gives `simulated` as the vendor of the scanner.

    Example:

    ```python
    write_fastmri_volume("file1000001.h5", slices=2, size=(64, 40),
                         recon_size=(32, 32), coils=4)
    ```

    Args:
        path: Path of the file. It is overwritten.
        slices: Integer, the number of slices.
        size: Two integers, the rows (frequency encoding) and columns (phase
            encoding) of k-space.
        recon_size: Two integers, not larger than `size`: the rows and columns
            of the reconstruction.
        coils: Optional integer, the number of receive coils, each with a smooth
            complex sensitivity map. `None` is a single-coil file.
        acquired: Optional integer, the number of acquired columns of k-space.
            Defaults to seven eighths of all columns.
        acquisition: String, the pulse sequence.
        patient_id: String.
        mask: Optional array of `W` booleans, the columns to keep. The file
            then resembles one of a test set: it has `mask` and no
            reconstructions.
        noise: Float, the standard deviation of the complex noise of an image,
            relative to the intensity of about the brightest tissue.
        seed: Integer, or sequence of integers, the seed of the object.
    """
    rows, columns = size
    check_recon_size(recon_size, size)
    inside = _acquired_columns(acquired, columns)
    if mask is not None:
        mask = np.asarray(mask, bool)
        if mask.shape != (columns,):
            raise invalid(
                "mask",
                f"an array of shape {(columns,)}",
                found=f"shape={mask.shape}",
            )

    rng = np.random.default_rng(seed)
    slice_of = random_object(rng, recon_size)
    maps = None if coils is None else random_maps(rng, coils, recon_size)
    shape = (slices, *recon_size)
    kspace_shape = (*size,) if coils is None else (coils, *size)
    with h5py.File(path, "w") as file:
        kspace = file.create_dataset(
            "kspace", (slices, *kspace_shape), np.complex64
        )
        recons = {}
        heights = np.linspace(-0.7, 0.7, slices) if slices > 1 else [0.0]
        for i, height in enumerate(heights):
            image = slice_of(height)
            image = image if coils is None else maps * image
            noisy, clean = _measure(rng, image, size, noise, inside)
            kspace[i] = noisy if mask is None else noisy * mask
            for name, recon in _reconstruct(noisy, clean, recon_size).items():
                recons.setdefault(name, np.empty(shape, np.float32))[i] = recon

        vendor = {"systemVendor": SIMULATED}
        view = view_of(size)
        header = make_header(
            size, recon_size, coils or 1, inside, view, **vendor
        )
        file.create_dataset("ismrmrd_header", data=header)
        file.attrs["acquisition"] = acquisition
        file.attrs["patient_id"] = patient_id
        if mask is not None:
            file.create_dataset("mask", data=mask)
            return
        for name, recon in recons.items():
            file.create_dataset(name, data=recon)
        target = recons.get("reconstruction_esc", recons["reconstruction_rss"])
        file.attrs["max"] = target.max()
        file.attrs["norm"] = np.linalg.norm(target)


def write_fastmri_dataset(folder, volumes, anatomy="knee", seed=0, **kwargs):
    """Write folders of files, named like those of the fastMRI data set.

    Example:

    ```python
    write_fastmri_dataset("fastmri", {"singlecoil_train": 8,
                                      "singlecoil_val": 2})
    ```

    Args:
        folder: Path of the parent folder. It is created if needed.
        volumes: Dict with the number of files in each folder, such as
            `{"multicoil_train": 8, "multicoil_val": 2}`. Folders whose name
            starts with `multicoil` get files with coils, 15 by default.
            Folders with `test` or `challenge` in their name get undersampled
            files without reconstructions, which have every fourth column and
            the centre.
        anatomy: String, `"knee"` or `"brain"`. It selects the default size,
            the names of the files and the acquisitions, which alternate.
        seed: Integer, at least 0. The first volumes of `singlecoil_train` and
            of `multicoil_train` show the same object, and so on. Objects
            differ between `train`, `val` and the others.
        **kwargs: Arguments of `write_fastmri_volume`.

    Returns:
        A dict of lists of the paths written, `{folder name: [path, ...]}`.
    """
    check_choice("anatomy", anatomy, sorted(ACQUISITIONS))
    kwargs = {"size": SIZES[anatomy], **kwargs}
    coils = kwargs.pop("coils", 15)
    paths = {}
    for name, count in volumes.items():
        kind, _, split = name.partition("_")
        if kind not in ("singlecoil", "multicoil") or not split:
            raise invalid(
                "volumes",
                "names of folders that start with singlecoil_ or multicoil_",
                volumes,
            )
        target = pathlib.Path(folder) / name
        target.mkdir(parents=True, exist_ok=True)
        # A seed must be a number, so convert the string.
        split_seed = int.from_bytes(split.encode(), "big")
        paths[name] = []
        for i in range(count):
            acquisitions = ACQUISITIONS[anatomy]
            acquisition = acquisitions[i % len(acquisitions)]
            number = 1000001 + i + 1000 * (split_seed % 997)
            prefix = "" if anatomy == "knee" else f"_brain_{acquisition}_"
            path = target / f"file{prefix}{number}.h5"
            write_fastmri_volume(
                path,
                **{
                    "acquisition": acquisition,
                    "patient_id": f"simulated{number}",
                    "mask": _mask(split, kwargs["size"][1]),
                    "coils": coils if kind == "multicoil" else None,
                    "seed": (seed, split_seed, i),
                    **kwargs,
                },
            )
            paths[name].append(path)
    return paths


def _acquired_columns(acquired, columns):
    """The `slice` of acquired columns, around the centre."""
    acquired = columns * 7 // 8 if acquired is None else acquired
    if not 1 <= acquired <= columns:
        raise invalid("acquired", f"1 to {columns} columns", acquired)
    first = columns // 2 - acquired // 2
    return slice(first, first + acquired)


def _measure(rng, image, size, noise, columns):
    """The acquired k-space of an image, with and without noise."""
    clean = fft2c(_pad(image, size))
    draws = rng.normal(scale=noise * SCALE, size=(2, *clean.shape))
    noisy = clean + draws[0] + 1j * draws[1]
    return [_keep(kspace, columns) for kspace in (noisy, clean)]


def _reconstruct(noisy, clean, size):
    """The reconstructions of a slice, by the name of their data set."""
    image = abs(crop(ifft2c(noisy), size))
    if image.ndim == 3:
        return {"reconstruction_rss": np.sqrt(np.sum(image**2, axis=0))}
    return {
        "reconstruction_rss": abs(crop(ifft2c(clean), size)),
        "reconstruction_esc": image,
    }


def _mask(split, columns):
    if "test" not in split and "challenge" not in split:
        return None
    mask = np.arange(columns) % 4 == 0
    center, half = columns // 2, max(1, columns // 25)
    mask[center - half : center + half] = True
    return mask


def _pad(x, size):
    padded = np.zeros((*x.shape[:-2], *size), x.dtype)
    crop(padded, x.shape[-2:])[...] = x
    return padded


def _keep(kspace, columns):
    kept = np.zeros(kspace.shape, np.complex64)
    kept[..., columns] = kspace[..., columns]
    return kept
