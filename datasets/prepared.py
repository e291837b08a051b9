"""Find prepared data sets."""

import contextlib
import io
import pathlib
import sys

from loupe_tf.checks import invalid
from loupe_tf.reading import BadFileError, naming

# TFDS is imported only when needed: images in files work without it.


def is_builder(value):
    """Whether a value is a `tfds.core.DatasetBuilder`."""
    # If TFDS has not been imported, no builder can exist.
    tfds = sys.modules.get("tensorflow_datasets")
    return tfds is not None and isinstance(value, tfds.core.DatasetBuilder)


def is_prepared(builder):
    """Whether a data set was prepared.

    TFDS's own method warns of each data set that was not.

    Args:
        builder: A `tfds.core.DatasetBuilder`.

    Returns:
        Boolean.
    """
    there = (builder.data_path / "dataset_info.json").exists()
    return there and builder.is_prepared()


def prepared_builder(name, data_dir=None, argument="name"):
    """Return the builder of a prepared data set.

    Args:
        name: String, the name of a data set, or a `tfds.core.DatasetBuilder`.
        data_dir: Optional path of the folder with the data sets.
        argument: String, the name of the argument `name` in errors.

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
    if not is_prepared(builder):
        raise invalid(
            argument,
            "a data set prepared with `builder.download_and_prepare()`",
            found=f"{argument}={name}, looked for in {builder.data_path}",
        )
    return builder


def find_data_set(data, data_dir=None):
    """Return the builder of a data set, where files would have done as well.

    `mni_brain` needs no download, and is prepared if necessary.

    Args:
        data: String that is no path: the name of a prepared data set.
        data_dir: Optional path of the folder with the data sets.

    Returns:
        A `tfds.core.DatasetBuilder` of a prepared data set.

    Raises:
        BadFileError: If the files that describe the data set are damaged.
        ValueError: If there is no such data set.
    """
    error = invalid(
        "data",
        "a file, a folder, or the name of a TFDS data set, such as "
        "mni_brain/96, that is prepared in `data_dir`",
        found=f"data={data}, data_dir={data_dir}: there is no such file, "
        "folder or prepared data set",
    )
    try:
        import tensorflow_datasets as tfds

        builder = open_builder(data, data_dir)
    except ModuleNotFoundError as missing:
        if missing.name != "tensorflow_datasets":
            raise
        raise invalid(
            "data",
            "an existing file or folder (or, if tensorflow-datasets is "
            "installed, the name of a data set)",
            data,
        ) from None
    except BadFileError:
        raise
    except ValueError:
        # TFDS's message would list similar names, even of other data sets.
        raise error from None
    if is_prepared(builder):
        return builder
    if builder.name != "mni_brain":
        raise error
    print(f"Simulating {builder.info.full_name} ...", flush=True)
    tfds.disable_progress_bar()
    # TFDS would print that it downloads something.
    with contextlib.redirect_stdout(io.StringIO()):
        builder.download_and_prepare()
    return builder


def open_builder(name, data_dir=None):
    """Return the builder of a data set, prepared or not.

    Args:
        name: String, the name of a data set.
        data_dir: Optional path of the folder with the data sets.

    Returns:
        A `tfds.core.DatasetBuilder`.

    Raises:
        BadFileError: If the files that describe the data set are damaged.
        ValueError: If there is no such data set.
    """
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name, data_dir=data_dir)
        return builder if is_prepared(builder) else _earlier_version(builder)
    except Exception as error:
        folder = pathlib.Path(data_dir or tfds.core.constants.DATA_DIR)
        folder = folder.expanduser() / name.split("/")[0].split(":")[0]
        # TFDS does not say which file is damaged.
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
    """Functions that read the files that describe a data set, by file name."""
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core import dataset_info

    return {
        "dataset_info.json": dataset_info.read_proto_from_builder_dir,
        "features.json": tfds.features.FeatureConnector.from_config,
    }


def _earlier_version(builder):
    """Return the builder of the newest earlier version that was prepared.

    Args:
        builder: A `tfds.core.DatasetBuilder` whose own version is not prepared.

    Returns:
        A `tfds.core.DatasetBuilder`; `builder` itself if there is no earlier
        version.
    """
    import tensorflow_datasets as tfds

    own = pathlib.Path(builder.data_path)
    found = []
    for folder in own.parent.glob("*.*.*/dataset_info.json"):
        try:
            found.append((tfds.core.Version(folder.parent.name), folder.parent))
        except ValueError:
            continue  # Not a version, for example an unfinished build.
    found = [pair for pair in found if pair[0] < own.name]
    return tfds.builder_from_directory(max(found)[1]) if found else builder
