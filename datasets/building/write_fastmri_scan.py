"""Your own scans as files in fastMRI's schema."""

import h5py
import numpy as np

from loupe_tf.atomic import written_aside
from loupe_tf.checks import check_number, invalid
from loupe_tf.datasets.building.fastmri_schema import (
    check_recon_size,
    crop,
    make_header,
    view_of,
)
from loupe_tf.formats.fastmri_file import SIMULATED
from loupe_tf.formats.kspace_volume import KspaceVolume
from loupe_tf.numpy_fourier import ifft2c


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
    check_recon_size(recon_size, tuple(size))
    view = None
    if is_scan:
        vendor = "" if vendor is None else vendor
        known = kspace.field_of_view, kspace.slice_spacing
        if all(size is not None for size in known):
            view = *kspace.field_of_view, kspace.slice_spacing
    else:
        vendor = SIMULATED if vendor is None else vendor
        view = view_of(size)
    if field_of_view is not None:
        view = _check_view(field_of_view)
    system = {"systemVendor": vendor or None, "systemModel": model or None}
    system["systemFieldStrength_T"] = field_strength
    inside = slice(0, size[1])
    header = make_header(size, recon_size, coils, inside, view, **system)
    recon = np.empty((slices, *recon_size), np.float32)
    with written_aside(path) as partial, h5py.File(partial, "w") as file:
        stored = file.create_dataset("kspace", kspace.shape, np.complex64)
        for i in range(slices):
            one = np.asarray(kspace[i], np.complex64)
            images = crop(ifft2c(one), recon_size)
            recon[i] = np.sqrt(np.sum(np.abs(images) ** 2, axis=0))
            stored[i] = one
        file.create_dataset("reconstruction_rss", data=recon)
        file.create_dataset("ismrmrd_header", data=header)
        file.attrs["acquisition"] = acquisition
        file.attrs["patient_id"] = patient_id
        file.attrs["max"] = recon.max()
        file.attrs["norm"] = np.linalg.norm(recon)


def _check_view(field_of_view):
    """Three floats, in mm."""
    if np.shape(field_of_view) != (3,):
        raise invalid(
            "field_of_view", "three positive numbers in mm", field_of_view
        )
    return tuple(
        check_number("field_of_view", size, above=0) for size in field_of_view
    )
