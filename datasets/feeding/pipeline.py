"""Make batches for `model.fit` from a data set."""

import numpy as np

from loupe_tf.checks import check_choice, check_integer, invalid
from loupe_tf.datasets.feeding.cached_images import CachedImages
from loupe_tf.datasets.feeding.split_images import SplitImages
from loupe_tf.datasets.prepared import prepared_builder
from loupe_tf.datasets.resize import check_size


def pipeline(
    source,
    split=None,
    batch_size=16,
    *,
    shuffle=True,
    seed=0,
    cache=False,
    augment=None,
    target="image",
    size=None,
    drop_remainder=None,
    input_context=None,
    image_key="image",
    data_dir=None,
):
    """Make batches of (input, target) for `model.fit`.

    LOUPE's images are their own targets; augmentation may make the two differ.

    Each epoch has every slice once, in an order that is uniform over all
    slices. Batches, their order and the augmentation depend only on `seed`, the
    epoch number and the index of each slice, not on the backend, the file
    format, or the number of threads, processes or replicas. The callback
    `train.callback()` passes on the epoch number, so that a resumed run gets
    the batches of an uninterrupted one. Without the callback, each pass over
    the data counts as an epoch.

    Example:

    ```python
    augment = Augment("horizontal", rotation=5)
    train = pipeline("mni_brain/96", "train", augment=augment)
    validation = pipeline("mni_brain/96", "validation", shuffle=False)
    model.fit(
        train,
        validation_data=validation,
        callbacks=[train.callback()],
        shuffle=False,  # Keras would shuffle batches, without a seed
    )
    ```

    Args:
        source: Name of a prepared TFDS data set, a
            `tfds.core.DatasetBuilder`, or a floating-point array of images
            `(n, H, W, 1)` or `(n, H, W, 2)`.
        split: String, the split of a data set or a part of it, such as
            `"train[:50%]"`. `None` for an array.
        batch_size: Integer, images per batch, over all replicas.
        shuffle: Boolean. `True` gives a new order every epoch, `False` keeps
            the order of the data set.
        seed: Integer, at least 0, for order and augmentation.
        cache: `False`; `True` to keep images in memory after the first read,
            `4·n·H·W·C` bytes in total; or path of a folder for a file of this
            size, which later runs use again unless the data set has changed.
        augment: `None`, an `Augment`, or a callable `(image, rng)`. It takes a
            float32 array `(H, W, C)` and a `numpy.random.Generator`, and
            returns a pair (input, target) of such arrays. Images are cached
            before augmentation.
        target: `"image"`, or `"magnitude"`: the target of complex images is
            their magnitude, `(batch, H, W, 1)`, as `loupe_model` with
            `reconstruction="magnitude"` requires.
        size: `None` or `(H, W)`, to crop or zero-pad the images of a data set
            around their centre. Required if their sizes differ.
        drop_remainder: Boolean. Whether to drop the last batch if it is
            smaller than the others. `None` drops it only with an
            `input_context`. Use `True` on several replicas, because their
            shares would be unequal.
        input_context: `None`, or a `tf.distribute.InputContext`, to read the
            part of one worker: batches of `batch_size / num_replicas_in_sync`.
            All workers together get the batches of a single process.
        image_key: String, the feature with the images: float32 of shape
            `(H, W)`, `(H, W, 1)`, or `(H, W, 2)` for (real, imaginary);
            complex64 of shape `(H, W)`; or `"kspace"`, complex64 of shape
            `(H, W)` with DC at `(H // 2, W // 2)`, which is transformed to an
            image, divided by the feature `max` if there is one, and cropped to
            `size`. Multi-coil k-space is rejected.
        data_dir: Optional path of the folder with the data sets.

    Returns:
        On the TensorFlow backend, a `tf.data.Dataset` of pairs of float32
        tensors `(batch, H, W, 1)`, or `(batch, H, W, 2)` for complex images.
        On the others, a `keras.utils.PyDataset` of the same batches, which
        does not import TensorFlow. Both have a length, `callback()`, and
        `set_epoch(epoch)`, which your own training loop must call before it
        iterates.

    Raises:
        ValueError: If an argument is invalid, the data set is not prepared, an
            image does not have the form described above, or an epoch would
            have no batch.
    """
    from loupe_tf.datasets.feeding.slice_batches import SliceBatches

    batch_size = check_integer("batch_size", batch_size, at_least=1)
    seed = check_integer("seed", seed, at_least=0)
    size = size if size is None else check_size("size", size)
    check_choice("target", target, ("image", "magnitude"))

    if hasattr(source, "dtype") and hasattr(source, "shape"):
        given = {"split": split, "cache": cache or None, "size": size}
        for name, value in given.items():
            if value is not None:
                raise invalid(name, "none for an array", value)
        images = ArrayImages(source)
    else:
        builder = prepared_builder(source, data_dir, argument="source")
        if not isinstance(split, str):
            raise invalid("split", "a string", split)
        images = SplitImages(builder, split, image_key, size)
        if cache:
            folder = None if cache is True else cache
            identity = [*_identity(builder), split, image_key, size]
            images = CachedImages(images, folder, identity)

    return feed(
        SliceBatches,
        images,
        batch_size,
        drop_remainder,
        input_context,
        shuffle=shuffle,
        seed=seed,
        augment=augment,
        magnitude_target=target == "magnitude",
    )


def feed(
    kind, images, batch_size, drop_remainder=None, input_context=None, **options
):
    """Make the batches of a pipeline, as the backend reads them.

    Args:
        kind: `SliceBatches`, or a subclass.
        images: Source of the images; see `SliceBatches`.
        batch_size, drop_remainder, input_context: As for `pipeline`.
        **options: Other arguments of `kind`.

    Returns:
        As for `pipeline`.
    """
    import keras

    if drop_remainder is None:
        drop_remainder = input_context is not None
    batches = kind(
        images,
        batch_size,
        drop_remainder=drop_remainder,
        share=_share(input_context, batch_size),
        **options,
    )
    if not len(batches):
        raise invalid(
            "batch_size", f"at most {images.count}, all images", batch_size
        )
    if input_context is not None and images.count % batch_size:
        if not drop_remainder:
            raise invalid("drop_remainder", "True with `input_context`", False)
    if keras.backend.backend() == "tensorflow":
        return batches.to_tf_dataset()
    return batches


class ArrayImages:
    """Images of an array `(n, H, W, 1)` or `(n, H, W, 2)`."""

    def __init__(self, array):
        if (
            len(array.shape) != 4
            or array.shape[-1] not in (1, 2)
            or not np.issubdtype(array.dtype, np.floating)
        ):
            raise invalid(
                "source",
                "a name, a builder, or a floating-point array of shape (n, "
                "H, W, 1) or (n, H, W, 2)",
                found=f"an array of shape={tuple(array.shape)}, "
                f"dtype={array.dtype}",
            )
        self.array = array
        self.count = len(array)
        self.shape = tuple(array.shape[1:])

    def fetch(self, indices):
        """Return float32 images in the order of the indices."""
        return np.asarray(self.array[indices], "float32")


def _share(context, batch_size):
    """The `share` of `SliceBatches`."""
    if context is None:
        return (1, 0, 1)
    replicas = context.num_replicas_in_sync
    per_worker, rest = divmod(replicas, context.num_input_pipelines)
    if rest:
        raise invalid(
            "input_context", "equally many replicas in each worker", context
        )
    if batch_size % replicas:
        raise invalid(
            "batch_size", f"a multiple of {replicas} replicas", batch_size
        )
    return (replicas, context.input_pipeline_id * per_worker, per_worker)


def _identity(builder):
    """Values that change if a data set is rebuilt or moved."""
    path = builder.data_path / "dataset_info.json"
    return [builder.info.full_name, str(path), path.stat().mtime]
