"""Base class of the readers of a `VolumeBuilder`, and their helpers."""

import abc
import importlib

from loupe_tf.formats.bad_volume import BadVolumeError


def check_shape(path, shape, received=None):
    """Check that a shape is a stack of images.

    Args:
        path: Path of the file.
        shape: Tuple, expected to be `(slices, H, W)`.
        received: Tuple, the shape in the file. Defaults to `shape`.
    """
    if len(shape) == 3 and shape[0] >= 1 and min(shape[1:]) >= 2:
        return
    raise BadVolumeError(
        path,
        "Expected three axes: at least one slice, two rows and two columns. "
        f"Received: shape={tuple(received or shape)}.",
    )


def import_extra(name, what):
    """Import a package of the extra `volumes`.

    Args:
        name: String, the package.
        what: String, what the package reads, such as `"DICOM files"`.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"Reading {what} requires {name.partition('.')[0]}. Install it "
            'with: pip install "loupe-tf[volumes]"'
        ) from error


class VolumeReader(abc.ABC):
    """Base class of readers, which `VolumeBuilder._reader` returns.

    A reader must be picklable and independent of the builder, because Beam
    sends it to other machines. A volume is an item that
    `VolumeBuilder._volumes_per_split` lists, usually the path of a file. Both
    methods raise a `BadVolumeError` for a volume that cannot be used.
    """

    @abc.abstractmethod
    def header(self, volume):
        """Read only the header, before any volume is read.

        Returns:
            A tuple `(count, nbytes)`: the number of slices, and the
            approximate size of their records in bytes.
        """

    @abc.abstractmethod
    def __call__(self, volume):
        """Yield the records, dicts of features, slice by slice.

        `header` has already accepted the header of the volume.

        A value that is the same object as in the previous record counts as
        unchanged, so do not reuse an array for new values.
        """
