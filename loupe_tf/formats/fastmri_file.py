"""Read one HDF5 file of the fastMRI data set."""

import contextlib
import functools
import pathlib
import re

import numpy as np

from loupe_tf import hdf5, reading
from loupe_tf.formats.bad_volume import BadVolumeError

NAMESPACE = "{http://www.ismrm.org/ISMRMRD}"
# Vendor that `simulate_fastmri` writes in place of a scanner's.
SIMULATED = "simulated"


class FastmriFile(contextlib.AbstractContextManager):
    """One volume of fastMRI, read slice by slice.

    Example:

    ```python
    with FastmriFile("singlecoil_val/file1000001.h5") as file:
        print(file.acquisition, file.header["padding_left"])
        kspace = file.kspace(0)
    ```

    All methods and properties raise a `BadVolumeError` that names the file if
    the data they need are missing, unreadable, of a wrong shape or not finite.

    Args:
        path: Path of the file.
    """

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self._datasets = {}
        with self._naming():
            self._file = hdf5.open_hdf5(self.path)

    def __exit__(self, *args):
        self._file.close()

    @property
    def name(self):
        """The name of the volume: that of the file, without suffix."""
        return self.path.stem

    @functools.cached_property
    def kspace_shape(self):
        """Shape of k-space, `(slices, H, W)` or `(slices, coils, H, W)`."""
        return self._shape("kspace", (3, 4), "c")

    @functools.cached_property
    def target_name(self):
        """The name of the reconstruction that belongs to the k-space.

        It is `"reconstruction_esc"` for emulated single-coil files and
        `"reconstruction_rss"` for multi-coil files.
        """
        esc = "reconstruction_esc"
        return "reconstruction_rss" if self._dataset(esc) is None else esc

    @functools.cached_property
    def target_shape(self):
        """The shape `(slices, h, w)` of the reconstruction."""
        return self._shape(self.target_name, (3,), "f")

    def kspace(self, i):
        """Return slice `i`, complex64 `(H, W)` or `(coils, H, W)`."""
        return self._read("kspace", i, np.complex64)

    def target(self):
        """Return the reconstruction of all slices, float32 `(slices, h, w)`."""
        return self._read(self.target_name, ..., np.float32)

    @property
    def acquisition(self):
        """The name of the pulse sequence, or `""` if there is none."""
        return self._text("acquisition")

    @property
    def patient(self):
        """The identifier of the patient, or `""` if there is none."""
        return self._text("patient_id")

    @functools.cached_property
    def mask(self):
        """The acquired columns, booleans `(W,)`, or `None` if fully sampled.

        Test sets and challenges have a mask.
        """
        dataset = self._dataset("mask")
        if dataset is None:
            return None
        with self._naming():
            mask = np.asarray(hdf5.read_hdf5(dataset))
        width = self.kspace_shape[-1]
        if mask.shape != (width,) or not np.isin(mask, (0, 1)).all():
            raise self._bad(
                f"Expected a mask of {width} columns, each 0 or 1. "
                f"Received: shape={mask.shape}, dtype={mask.dtype}"
            )
        return mask.astype(bool)

    @functools.cached_property
    def scanner(self):
        """The scanner of the XML header, a dictionary.

        - `vendor`, `model`: strings, `""` if unknown.
        - `field_strength`: float, in tesla, or `None` if unknown.
        """
        found = dict.fromkeys(("Vendor", "Model", "FieldStrength_T"))
        if self._dataset("ismrmrd_header") is not None:
            place = "acquisitionSystemInformation/system"
            found = {key: self._find(place + key) for key in found}
        try:
            tesla = float(found["FieldStrength_T"])
        except (TypeError, ValueError):
            tesla = None
        return {
            "vendor": found["Vendor"] or "",
            "model": found["Model"] or "",
            "field_strength": tesla if tesla and 0 < tesla < 100 else None,
        }

    @functools.cached_property
    def header(self):
        """The description of k-space in the XML header, a dictionary.

        - `encoded_size`, `recon_size`: three integers each.
        - `acquired_columns`: integer, the number of acquired columns.
        - `padding_left`, `padding_right`: integers, the first acquired column
          and the one after the last, computed as in fastMRI's own reader.
        """
        encoding = "encoding"
        columns = "encodingLimits/kspace_encoding_step_1"
        encoded, recon = (
            tuple(
                self._number(f"{encoding}/{space}/matrixSize/{axis}")
                for axis in "xyz"
            )
            for space in ("encodedSpace", "reconSpace")
        )
        center = self._number(f"{encoding}/{columns}/center")
        acquired = self._number(f"{encoding}/{columns}/maximum") + 1
        left = encoded[1] // 2 - center
        return {
            "encoded_size": encoded,
            "recon_size": recon,
            "acquired_columns": acquired,
            "padding_left": left,
            "padding_right": left + acquired,
        }

    @functools.cached_property
    def field_of_view(self):
        """Field of view (rows, columns, slice) in mm, or `None` if unknown."""
        if self._dataset("ismrmrd_header") is None:
            return None
        space = "encoding/encodedSpace/fieldOfView_mm"
        texts = [self._find(f"{space}/{axis}") for axis in "xyz"]
        try:
            view = tuple(float(text) for text in texts)
        except (TypeError, ValueError):
            return None
        return view if all(0 < mm < float("inf") for mm in view) else None

    @property
    def voxel_size(self):
        """Voxel size (slices, rows, columns) of all images in mm, or `None`.

        Reconstructions are cropped from the image of the k-space, so their
        pixels have the same size.
        """
        size = "encoding/encodedSpace/matrixSize"
        if self.field_of_view is None:
            return None
        try:
            counts = [self._number(f"{size}/{axis}") for axis in "xy"]
        except BadVolumeError:
            return None
        if min(counts) < 1:
            return None
        *view, thickness = self.field_of_view  # The scans are 2-D.
        return thickness, *(mm / n for mm, n in zip(view, counts))

    @property
    def source(self):
        """The origin of the k-space.

        It is `"raw_multicoil"`, `"emulated_singlecoil"`, or `"simulated"` for a
        file of `write_fastmri_volume`.
        """
        if self._dataset("ismrmrd_header") is not None:
            path = "acquisitionSystemInformation/systemVendor"
            if self._find(path) == SIMULATED:
                return "simulated"
        multicoil = self.target_name == "reconstruction_rss"
        return "raw_multicoil" if multicoil else "emulated_singlecoil"

    @property
    def combined_by(self):
        """The coil combination, `"rss"` or `"emulated_singlecoil"`."""
        multicoil = self.target_name == "reconstruction_rss"
        return "rss" if multicoil else "emulated_singlecoil"

    @functools.cached_property
    def _xml(self):
        dataset = self._needed("ismrmrd_header")
        with self._naming():
            text = hdf5.read_hdf5(dataset)
            text = text.item() if isinstance(text, np.ndarray) else text
            reading.check_memory(self.path, reading.XML * len(text))
            return reading.parse_xml(text)

    def _find(self, path):
        path = "/".join(NAMESPACE + tag for tag in path.split("/"))
        return self._xml.findtext(path)

    def _number(self, path):
        value = self._find(path)
        # The schema allows integers up to 65535.
        if not re.fullmatch(r"\s*[0-9]{1,5}\s*", value or ""):
            raise self._bad(
                f"Expected an integer {path} in ismrmrd_header. "
                f"Received: {str(value)[:80]}"
            )
        return int(value)

    def _text(self, name):
        import h5py

        with self._naming():
            value = hdf5.hdf5_attribute(self._file, name)
        if value is None or isinstance(value, h5py.Empty):
            return ""
        if isinstance(value, np.ndarray) and value.size == 1:
            value = value.item()
        if isinstance(value, str):
            # h5py keeps bytes that are not UTF-8 as surrogates, which cannot be
            # written.
            value = value.encode("utf-8", "surrogateescape")
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        return str(value)

    def _dataset(self, name):
        """Return the data set of this name, or `None`."""
        if name not in self._datasets:
            with self._naming():
                found = hdf5.hdf5_dataset(self._file, name)
            self._datasets[name] = found
        return self._datasets[name]

    def _needed(self, name):
        dataset = self._dataset(name)
        if dataset is None:
            raise self._bad(
                f"Expected an HDF5 file of fastMRI. Received: one that has no "
                f"data set {name}"
            )
        return dataset

    def _shape(self, name, dimensions, kind):
        dataset = self._needed(name)
        shape = dataset.shape or ()
        if len(shape) not in dimensions or 0 in shape:
            raise self._bad(
                f"Expected {name} with {' or '.join(map(str, dimensions))} "
                f"axes, none of them empty. Received: shape={shape}"
            )
        if dataset.dtype.kind != kind:
            kinds = {"c": "complex", "f": "real floating point"}
            raise self._bad(
                f"Expected {name} of {kinds[kind]} numbers. "
                f"Received: dtype={dataset.dtype}"
            )
        return shape

    def _read(self, name, index, dtype):
        dataset = self._needed(name)
        with self._naming():
            array = hdf5.read_hdf5(dataset, index)
            array = array.astype(dtype, copy=False)
            # Minimum and maximum keep NaN, without a boolean array as large as
            # the volume. Real numbers are checked faster than complex ones.
            numbers = array.view(np.float32)
            extremes = numbers.min(), numbers.max()
        if not np.isfinite(extremes).all():
            wrong = np.count_nonzero(~np.isfinite(numbers))
            where = "" if index is ... else f" of slice {index}"
            raise self._bad(
                f"Expected finite values in {name}{where}. "
                f"Received: {wrong} numbers that are not"
            )
        return array

    def _bad(self, reason):
        return BadVolumeError(self.path, f"{reason}.")

    def _naming(self):
        """Name the file in errors from reading it."""
        return reading.naming(
            self.path, "an HDF5 file of fastMRI", BadVolumeError
        )
