"""Finding data sets that have been prepared."""

import pathlib
import sys

from loupe_tf.checks import invalid
from loupe_tf.reading import BadFileError, naming

# TFDS is imported where a data set is asked for: images in files need none.


def is_builder(value):
    """Whether a value is a `tfds.core.DatasetBuilder`."""
    # Before TFDS is imported there is none.
    tfds = sys.modules.get("tensorflow_datasets")
    return tfds is not None and isinstance(value, tfds.core.DatasetBuilder)


def prepared_builder(name, data_dir=None, argument="name"):
    """The builder of a data set that has been prepared.

    Args:
        name: String, the name of a data set, or a `tfds.core.DatasetBuilder`.
        data_dir: Optional path of the folder that holds the data sets.
        argument: String, what errors call `name`.

    Returns:
        A `tfds.core.DatasetBuilder`.
    """
    builder = name
    if not is_builder(name):
        try:
            builder = open_builder(name, data_dir)
        except BadFileError:
            raise
        except ValueError as error:
            raise invalid(
                argument,
                "the name of a TFDS data set",
                found=f"{argument}={name}, data_dir={data_dir}",
            ) from error
    if not builder.is_prepared():
        raise invalid(
            argument,
            "a data set that has been prepared with "
            "`builder.download_and_prepare()`",
            found=f"{argument}={name}, looked for in {builder.data_path}",
        )
    return builder


def open_builder(name, data_dir=None):
    """The builder of this name, whether its data are prepared or not.

    Args:
        name: String, the name of a data set.
        data_dir: Optional path of the folder that holds the data sets.

    Returns:
        A `tfds.core.DatasetBuilder`.

    Raises:
        BadFileError: If what describes its data is damaged.
        ValueError: If there is none.
    """
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name, data_dir=data_dir)
        return builder if builder.is_prepared() else _earlier_version(builder)
    except Exception as error:
        folder = pathlib.Path(data_dir or tfds.core.constants.DATA_DIR)
        folder = folder.expanduser() / name.split("/")[0].split(":")[0]
        # TFDS does not say which of many files it was.
        readers = _readers_of_descriptions()
        for path in sorted(folder.rglob("*.json")):
            if path.name in readers:
                with naming(path, "the description of a TFDS data set"):
                    readers[path.name](path.parent)
        if isinstance(error, ValueError):
            raise
        raise BadFileError(
            folder, f"Expected a TFDS data set. Received: {error}"
        ) from error


def _readers_of_descriptions():
    """What reads each of the files that describe a data set, by their name."""
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core import dataset_info

    return {
        "dataset_info.json": dataset_info.read_proto_from_builder_dir,
        "features.json": tfds.features.FeatureConnector.from_config,
    }


def _earlier_version(builder):
    """The builder of a data set that an earlier version has prepared, if any.

    Args:
        builder: A `tfds.core.DatasetBuilder` whose own version is not there.

    Returns:
        A `tfds.core.DatasetBuilder`, of the newest version that is there, or
        `builder`.
    """
    import tensorflow_datasets as tfds

    own = pathlib.Path(builder.data_path)
    found = []
    for folder in own.parent.glob("*.*.*/dataset_info.json"):
        try:
            found.append((tfds.core.Version(folder.parent.name), folder.parent))
        except ValueError:
            continue  # Not a version, such as an unfinished one.
    found = [pair for pair in found if pair[0] < own.name]
    return tfds.builder_from_directory(max(found)[1]) if found else builder
