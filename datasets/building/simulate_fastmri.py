"""Files in fastMRI's schema: of own scans, and simulated ones."""

import pathlib
from xml.etree import ElementTree

import h5py
import numpy as np

from loupe_tf.atomic import written_aside
from loupe_tf.checks import check_choice, check_number, invalid
from loupe_tf.datasets.building.random_object import (
    SCALE,
    random_maps,
    random_object,
)
from loupe_tf.formats.fastmri_file import SIMULATED
from loupe_tf.formats.kspace_volume import KspaceVolume
from loupe_tf.numpy_fourier import fft2c, ifft2c

# The voxels of simulated files, in mm.
PIXEL, THICKNESS = 0.4375, 3
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
    _check_recon_size(recon_size, size)
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
        view = _view(size)
        header = _header(size, recon_size, coils or 1, inside, view, **vendor)
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


def write_fastmri_scan(
    path,
    kspace,
    recon_size=None,
    acquisition="AXT2",
    patient_id=None,
    model="",
    field_strength=None,
    vendor=None,
    field_of_view=None,
):
    """Write the k-space of several coils as an HDF5 file of fastMRI.

    `fastmri_slices` reads such files of your own scans. `reconstruction_rss`
    is the root of the sum of squares of the coil images, cropped to
    `recon_size`, as in fastMRI. See `write_fastmri_volume` for the rest.

    Example:

    ```python
    with loupe_tf.formats.load_kspace("scan.h5") as volume:
        write_fastmri_scan(
            "scans/multicoil_train/scan1.h5", volume, patient_id="patient1"
        )
    ```

    Args:
        path: Path of the file. It is overwritten, once the new one is complete,
            and its folder is made if missing.
        kspace: Complex array `(slices, coils, H, W)`, fully sampled,
            orthonormal, with DC at `(H // 2, W // 2)`; or a
            `loupe_tf.formats.KspaceVolume`, which is read slice by slice.
        recon_size: Two integers, the rows and columns of the reconstruction.
            Defaults to those of `kspace`.
        acquisition: String, the pulse sequence.
        patient_id: Optional string, by which data sets are split. Defaults to
            `"simulated"` for an array. A `KspaceVolume` is a scan of somebody,
            so it is required.
        model: String, the model of the scanner.
        field_strength: Optional float, in tesla.
        vendor: Optional string, the vendor of the scanner, `""` if unknown.
            Defaults to `"simulated"` for an array, and to `""` for a
            `KspaceVolume`.
        field_of_view: Optional three numbers in mm, the field of view of
            `kspace` along rows and columns, and the thickness of slices.
            Defaults to that of a `KspaceVolume`, if it and the distance of
            slices are known, and to none if not; for an array, to pixels of
            0.4375 mm and slices of 3 mm.

    Raises:
        ValueError: If `kspace` is not complex or has another number of axes,
            if `recon_size` is larger than it, if `field_of_view` is not three
            positive numbers, or without the `patient_id` of a `KspaceVolume`.
    """
    is_scan = isinstance(kspace, KspaceVolume)
    if not is_scan:
        kspace = np.asarray(kspace)
        if not np.iscomplexobj(kspace):
            raise invalid("kspace", "complex values", found=str(kspace.dtype))
    if len(kspace.shape) != 4:
        raise invalid(
            "kspace", "shape (slices, coils, H, W)", found=kspace.shape
        )
    if patient_id is None and is_scan:
        raise invalid("patient_id", "the patient of the scan", None)
    patient_id = SIMULATED if patient_id is None else patient_id
    slices, coils, *size = kspace.shape
    recon_size = size if recon_size is None else recon_size
    _check_recon_size(recon_size, tuple(size))
    view = None
    if is_scan:
        vendor = "" if vendor is None else vendor
        known = kspace.field_of_view, kspace.slice_spacing
        if all(size is not None for size in known):
            view = *kspace.field_of_view, kspace.slice_spacing
    else:
        vendor = SIMULATED if vendor is None else vendor
        view = _view(size)
    if field_of_view is not None:
        view = _check_view(field_of_view)
    system = {"systemVendor": vendor or None, "systemModel": model or None}
    system["systemFieldStrength_T"] = field_strength
    inside = slice(0, size[1])
    header = _header(size, recon_size, coils, inside, view, **system)
    recon = np.empty((slices, *recon_size), np.float32)
    with written_aside(path) as partial, h5py.File(partial, "w") as file:
        stored = file.create_dataset("kspace", kspace.shape, np.complex64)
        for i in range(slices):
            one = np.asarray(kspace[i], np.complex64)
            images = _crop(ifft2c(one), recon_size)
            recon[i] = np.sqrt(np.sum(np.abs(images) ** 2, axis=0))
            stored[i] = one
        file.create_dataset("reconstruction_rss", data=recon)
        file.create_dataset("ismrmrd_header", data=header)
        file.attrs["acquisition"] = acquisition
        file.attrs["patient_id"] = patient_id
        file.attrs["max"] = recon.max()
        file.attrs["norm"] = np.linalg.norm(recon)


def _check_recon_size(recon_size, size):
    if recon_size[0] > size[0] or recon_size[1] > size[1]:
        raise invalid(
            "recon_size",
            f"a size no larger than that of k-space, {size}",
            recon_size,
        )


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
    image = abs(_crop(ifft2c(noisy), size))
    if image.ndim == 3:
        return {"reconstruction_rss": np.sqrt(np.sum(image**2, axis=0))}
    return {
        "reconstruction_rss": abs(_crop(ifft2c(clean), size)),
        "reconstruction_esc": image,
    }


def _mask(split, columns):
    if "test" not in split and "challenge" not in split:
        return None
    mask = np.arange(columns) % 4 == 0
    center, half = columns // 2, max(1, columns // 25)
    mask[center - half : center + half] = True
    return mask


def _crop(x, size):
    # The same as fastMRI's `center_crop`.
    y, x0 = ((n - m) // 2 for n, m in zip(x.shape[-2:], size))
    return x[..., y : y + size[0], x0 : x0 + size[1]]


def _pad(x, size):
    padded = np.zeros((*x.shape[:-2], *size), x.dtype)
    _crop(padded, x.shape[-2:])[...] = x
    return padded


def _keep(kspace, columns):
    kept = np.zeros(kspace.shape, np.complex64)
    kept[..., columns] = kspace[..., columns]
    return kept


def _view(size):
    """The field of view of simulated k-space, in mm."""
    return PIXEL * size[0], PIXEL * size[1], THICKNESS


def _check_view(field_of_view):
    """Three floats, in mm."""
    if np.shape(field_of_view) != (3,):
        raise invalid(
            "field_of_view", "three positive numbers in mm", field_of_view
        )
    return tuple(
        check_number("field_of_view", size, above=0) for size in field_of_view
    )


def _header(size, recon_size, coils, acquired, view, **system):
    """The parts of the XML header that fastMRI's files and readers use."""
    system = {k: v for k, v in system.items() if v is not None}

    def add(parent, tag, **values):
        element = ElementTree.SubElement(parent, tag)
        for key, value in values.items():
            ElementTree.SubElement(element, key).text = str(value)
        return element

    namespace = "http://www.ismrm.org/ISMRMRD"
    root = ElementTree.Element("ismrmrdHeader", xmlns=namespace)
    # In the order of the schema.
    system["receiverChannels"] = coils
    add(root, "acquisitionSystemInformation", **system)
    encoding = add(root, "encoding")
    for name, (rows, columns) in (
        ("encodedSpace", size),
        ("reconSpace", recon_size),
    ):
        space = add(encoding, name)
        add(space, "matrixSize", x=rows, y=columns, z=1)
        if view is not None:
            # The reconstruction is cropped, with the same pixels.
            x, y = (mm * n / m for mm, n, m in zip(view, (rows, columns), size))
            add(space, "fieldOfView_mm", x=x, y=y, z=view[2])
    limits = add(encoding, "encodingLimits")
    add(
        limits,
        "kspace_encoding_step_1",
        minimum=0,
        maximum=acquired.stop - acquired.start - 1,
        center=size[1] // 2 - acquired.start,
    )
    ElementTree.SubElement(encoding, "trajectory").text = "cartesian"
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True)
