"""Find problems of images before a mask is learned on them."""

import warnings

import numpy as np

from loupe_tf.checks import invalid
from loupe_tf.datasets.inspecting.inspector import Inspector
from loupe_tf.datasets.prepared import is_builder, prepared_builder


def inspect(
    images,
    volumes=None,
    patients=None,
    source=None,
    data_dir=None,
    max_slices=1000,
):
    """Look for problems that make a learned mask or its metrics look too good.

    Data that were published for viewing have been processed, so learning to
    reconstruct them is easier than reconstructing a scan (Shimron, Tamir, Wang
    and Lustig, "Implicit data crimes", PNAS 119, 2022). This function checks
    for:

    - a Hermitian k-space, where either half determines the other: all
        magnitude images have one;
    - zero-filled borders of k-space along each axis, and corners removed by a
        filter;
    - 8-bit quantisation, and the 8×8 blocks of JPEG;
    - the same patient, or nearly the same slice, in two splits.

    *Not found* does not prove absence: a narrow border, a border behind a
    signal that has dropped into noise, and JPEG with a quality above 90 are
    missed.

    Example:

    ```python
    inspection = loupe_tf.datasets.inspect("mni_brain/96")
    print(inspection)
    inspection.plot().savefig("spectrum.png")
    ```

    Args:
        images: One of: an array of shape `(n, H, W)` or `(n, H, W, 1)`, real or
            complex, or `(n, H, W, 2)`, real and imaginary; a dictionary of such
            arrays by split; the name of a prepared TFDS data set with a feature
            `image`, or its `tfds.core.DatasetBuilder`; all its splits are read.
        volumes: Array of shape `(n,)`, the volume of each image, or a
            dictionary of such arrays by split. By default a split is one
            volume. Not used with a data set, which has this feature.
        patients: The patient of each image, in the same form.
        source: String, the source of the images, such as `"magnitude_image"`,
            or an array or a dictionary as above.
        data_dir: Optional path of the folder with the TFDS data sets.
        max_slices: Integer, the number of images to examine in each split,
            evenly spaced. The comparison between splits uses all images.

    Returns:
        A `loupe_tf.datasets.inspecting.findings.Inspection`.
    """
    inspector = Inspector()
    if isinstance(images, str) or is_builder(images):
        _add_dataset(inspector, images, data_dir, max_slices)
        return inspector.result()

    splits = images if isinstance(images, dict) else {"": images}
    if not splits:
        raise invalid("images", "images", found="an empty dictionary")
    for split, array in splits.items():
        array = _to_images(array)
        columns = {}
        for name, argument, each in (
            ("volume", "volumes", volumes),
            ("patient", "patients", patients),
            ("source", "source", source),
        ):
            columns[name] = _column(argument, each, split, len(array))
        looked_at = _spread(len(array), max_slices)
        for i, image in enumerate(array):
            inspector.add(
                image,
                split=split,
                **{name: column[i] for name, column in columns.items()},
                signature_only=not looked_at[i],
            )
    return inspector.result()


def warn_of_data_crimes(
    images, volumes=None, patients=None, source=None, mended=()
):
    """Warn once of all problems that make training on these images too easy.

    Call this before training, and put the sentences that it returns into the
    report of the run, next to the metrics.

    Args:
        images, volumes, patients, source: As in `inspect`. At most 256 images
            per split are examined; the comparison between splits uses all.
        mended: Names of findings that are not mentioned, because something is
            done about them: `("hermitian",)` for magnitude images that are
            given a phase.

    Returns:
        A list of sentences, empty if nothing was found. One `UserWarning`
        contains all of them.
    """
    inspection = inspect(images, volumes, patients, source, max_slices=256)
    sentences = [
        finding.sentence
        for finding in inspection.findings
        if finding.found and finding.name not in mended
    ]
    if sentences:
        lines = "\n".join(f"- {sentence}" for sentence in sentences)
        warnings.warn(
            "Metrics computed on these images will be optimistic:\n" + lines,
            stacklevel=2,
        )
    return sentences


def _add_dataset(inspector, name, data_dir, max_slices):
    builder = prepared_builder(name, data_dir, argument="images")
    features = builder.info.features
    if "image" not in features:
        raise invalid(
            "images",
            "a data set with a feature `image`",
            found=f"{builder.info.full_name} with {sorted(features)}",
        )
    keys = {
        "volume": "volume",
        "patient": "patient" if "patient" in features else "subject",
        "source": "source",
    }
    keys = {name: key for name, key in keys.items() if key in features}
    axes = (builder.info.metadata or {}).get("phase_axes", {})
    for split, info in builder.info.splits.items():
        looked_at = _spread(info.num_examples, max_slices)
        for i, record in enumerate(_records(builder, split, keys.values())):
            texts = {name: _decoded(record[key]) for name, key in keys.items()}
            inspector.add(
                _to_images(record["image"][None])[0],
                split=split,
                **texts,
                signature_only=not looked_at[i],
                phase_axis=axes.get(texts.get("volume"), ""),
            )


def _records(builder, split, keys):
    import tensorflow_datasets as tfds

    file_format = tfds.core.FileFormat.ARRAY_RECORD
    if builder.info.file_format == file_format:
        return iter(builder.as_data_source(split=split))
    wanted = dict.fromkeys(("image", *keys), True)
    decoders = tfds.decode.PartialDecoding(wanted)
    return tfds.as_numpy(builder.as_dataset(split=split, decoders=decoders))


def _to_images(array):
    """Convert the arrays that `inspect` takes to `(n, H, W)`."""
    array = np.asarray(array)
    if array.ndim == 4 and array.shape[-1] == 1:
        array = array[..., 0]
    elif array.ndim == 4 and array.shape[-1] == 2:
        array = array[..., 0] + 1j * array[..., 1]
    # An image of width 1 is a mistake, such as a single image (H, W, 1).
    is_image = array.ndim == 3 and len(array) and min(array.shape[1:]) > 1
    if not is_image or array.dtype.kind not in "uifc":
        raise invalid(
            "images",
            "numbers of shape (n, H, W), (n, H, W, 1) or (n, H, W, 2), with H "
            "and W of 2 or more; a single image has n = 1",
            found=f"shape={array.shape}, dtype={array.dtype}",
        )
    if not np.isfinite(array).all():
        raise invalid(
            "images",
            "finite values",
            found=f"{np.sum(~np.isfinite(array))} that are not",
        )
    return array


def _column(name, values, split, length):
    """The values of `volumes`, `patients` or `source` for a split's images."""
    if isinstance(values, dict):
        values = values.get(split)
    if values is None or isinstance(values, str):
        return [values or ""] * length
    values = np.asarray(values)
    if values.shape != (length,):
        raise invalid(
            name,
            f"({length},), one for each image",
            found=f"shape={values.shape}",
        )
    return [_decoded(value) for value in values.tolist()]


def _spread(length, number):
    """Booleans that select `number` of `length` entries, evenly spaced."""
    chosen = np.zeros(length, bool)
    chosen[np.linspace(0, length - 1, min(number, length)).astype(int)] = True
    return chosen


def _decoded(value):
    return value.decode() if isinstance(value, bytes) else str(value)
