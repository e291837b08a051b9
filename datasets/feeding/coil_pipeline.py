"""Make batches of multi-coil k-space for `model.fit` from a data set."""

import inspect

from loupe_tf.checks import check_choice, check_integer, invalid
from loupe_tf.datasets.feeding.cached_maps import CachedMaps
from loupe_tf.datasets.feeding.pipeline import feed
from loupe_tf.datasets.feeding.split_coils import SplitCoils
from loupe_tf.datasets.prepared import prepared_builder
from loupe_tf.datasets.resize import check_size
from loupe_tf.reconstruction import espirit_maps


def coil_pipeline(
    source,
    split,
    batch_size=1,
    *,
    maps_dir,
    coils=None,
    size=None,
    shuffle=True,
    seed=0,
    target="image",
    drop_remainder=None,
    input_context=None,
    data_dir=None,
    **espirit_options,
):
    """Make batches of ((k-space, maps), image) for a model with `coils`.

    The multi-coil counterpart of `pipeline`, with the same order, epochs and
    callback. With k the k-space of the data set, m the volume's maximum and S
    the sensitivity maps, a slice becomes

        kᵢ / m,    Sᵢ,    x = Σᵢ conj(Sᵢ) F⁻¹(kᵢ) / m

    The maximum is the feature `max`, in `fastmri_slices` that of the
    root-sum-of-squares reconstruction. Since Σᵢ |Sᵢ|² is 1 in the object and 0
    outside it, |x| is at most the root sum of squares divided by m, so at most
    1 within fastMRI's reconstruction.

    Slices are read when their batch is due; only a few batches are in memory.
    Each slice's maps are estimated with ESPIRiT when it is first read, and kept
    in `maps_dir`. They are not part of the data set, because they depend on
    `size` and on ESPIRiT's settings, and take much longer than the build, which
    starts again when it is stopped; here a run that is stopped keeps all maps
    that it has estimated. Every later epoch and run reads them, of any split,
    backend or process.

    Slices with fewer coils than others get coils whose k-space and maps are
    zero, which change neither `Σᵢ conj(Sᵢ) F⁻¹ kᵢ` nor the adjoint of an
    unrolled network. Batches of equal numbers of coils would not need them, but
    would have another shape for each number, and so compile the model again,
    and would not mix the volumes of different scanners. Only the Fourier
    transforms have more to do, not the networks, which see combined images.

    Example:

    ```python
    data, options = "fastmri_slices/knee_multicoil", {"maps_dir": "maps"}
    train = coil_pipeline(data, "train", size=(320, 320), **options)
    modl = loupe_tf.models.MoDL.with_unet((320, 320))
    model = loupe_tf.models.loupe_model(
        (320, 320, 2), acceleration=4, coils="any", reconstructor=modl
    )
    model.compile(keras.optimizers.Adam(1e-2), loss="mse")
    model.fit(train, callbacks=[train.callback()], shuffle=False)
    ```

    Args:
        source: Name of a prepared TFDS data set with the feature `kspace`,
            complex64 `(coils, H, W)`, orthonormal, with DC at
            `(H // 2, W // 2)`; or a `tfds.core.DatasetBuilder`. Examples are
            `"fastmri_slices/knee_multicoil"` and
            `"fastmri_slices/brain_multicoil"`. Without a feature `max`, k-space
            keeps its unit.
        split: String, the split or a part of it, such as `"train[:50%]"`.
        batch_size: Integer, slices per batch, over all replicas.
        maps_dir: Path of the folder with the maps, 8·coils·H·W bytes per slice.
            Several data sets and settings may share it.
        coils: Integer, the number of coils of every slice of a batch. Defaults
            to the largest number in the data set, which `fastmri_slices`
            states.
        size: `None` or `(H, W)`, to crop or zero-pad the coil images around
            their centre, for example to remove the oversampling of the
            read-out H. k-space is then that of the new images. Required if the
            sizes of slices differ.
        shuffle, seed, drop_remainder, input_context, data_dir: As for
            `pipeline`.
        target: `"image"`, or `"magnitude"`, which `loupe_model` with
            `reconstruction="magnitude"` requires.
        **espirit_options: Arguments of
            `loupe_tf.reconstruction.espirit_maps`, such as `calibration` or
            `crop`. A scan's maps come from its own calibration region, so a
            `calibration` as small as that of the mask trains for it.

    Returns:
        On the TensorFlow backend, a `tf.data.Dataset` of
        `((kspace, maps), target)`, float32: k-space and maps of shape
        `(batch, coils, H, W, 2)`, targets of shape `(batch, H, W, 2)`, or
        `(batch, H, W, 1)` for magnitudes. On the others, a
        `keras.utils.PyDataset` of the same batches, whose method
        `to_tf_dataset()` makes that `tf.data.Dataset`. Both have a length,
        `callback()` and `set_epoch(epoch)`, as for `pipeline`.

    Raises:
        ValueError: If an argument is invalid, the data set is not prepared, or
            a slice is damaged, not finite, of another size or of too many
            coils. The message names its file.
    """
    from loupe_tf.datasets.feeding.coil_slice_batches import CoilSliceBatches

    batch_size = check_integer("batch_size", batch_size, at_least=1)
    seed = check_integer("seed", seed, at_least=0)
    size = size if size is None else check_size("size", size)
    if coils is not None:
        coils = check_integer("coils", coils, at_least=1)
    check_choice("target", target, ("image", "magnitude"))
    known = set(inspect.signature(espirit_maps).parameters) - {"kspace", "mask"}
    if unknown := sorted(set(espirit_options) - known):
        raise invalid(
            "espirit_options",
            f"arguments of espirit_maps: {sorted(known)}",
            found=", ".join(unknown),
        )
    builder = prepared_builder(source, data_dir, argument="source")
    if not isinstance(split, str):
        raise invalid("split", "a string", split)
    maps = CachedMaps(maps_dir, size, espirit_options)
    return feed(
        CoilSliceBatches,
        SplitCoils(builder, split, maps, coils, size),
        batch_size,
        drop_remainder,
        input_context,
        shuffle=shuffle,
        seed=seed,
        magnitude_target=target == "magnitude",
    )
