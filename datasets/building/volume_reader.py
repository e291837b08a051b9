"""What reads the volumes of a `VolumeBuilder`."""

import abc
import importlib

from loupe_tf.formats.bad_volume import BadVolumeError


def check_shape(path, shape, received=None):
    """Refuses what is no stack of images.

    Args:
        path: Path of the file.
        shape: Tuple, expected to be `(slices, H, W)`.
        received: Tuple, the shape as the file has it. Defaults to `shape`.
    """
    if len(shape) == 3 and shape[0] >= 1 and min(shape[1:]) >= 2:
        return
    raise BadVolumeError(
        path,
        "Expected three axes: a slice or more, two rows and columns or more. "
        f"Received: shape={tuple(received or shape)}.",
    )


def import_extra(name, what):
    """Imports a package of the extra `volumes`.

    Args:
        name: String, the package.
        what: String, what it reads: `"DICOM files"`.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"Reading {what} requires {name.partition('.')[0]}. Install it "
            'with: pip install "loupe-tf[volumes]"'
        ) from error


class VolumeReader(abc.ABC):
    """Reads volumes: what `VolumeBuilder._reader` returns.

    A reader must be picklable, and know what it needs without the builder: on
    Beam it is sent to other machines. A volume is whatever
    `VolumeBuilder._volumes_per_split` lists, mostly the path of a file. Both
    methods raise a `BadVolumeError` for a volume that cannot be used.
    """

    @abc.abstractmethod
    def header(self, volume):
        """Reads the header alone, before any volume is read.

        Returns:
            A tuple `(count, nbytes)`: the number of slices, and about how many
            bytes their records will take.
        """

    @abc.abstractmethod
    def __call__(self, volume):
        """Yields the records, dicts of features, slice by slice.

        `header` has found the header of the volume good.

        A value that is the same object as in the record before counts as
        unchanged: no array may be filled anew and given out again.
        """
