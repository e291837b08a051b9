import keras
import numpy as np

from loupe_tf.checks import check_finite, check_integer, check_number, invalid
from loupe_tf.regimes.hold_out import HoldOut
from loupe_tf.regimes.split import split


def zero_shot(
    model,
    kspace,
    mask,
    maps=None,
    validation=0.2,
    learning_rate=1e-3,
    epochs=100,
    repeats=10,
    patience=10,
    batch_size=1,
    callbacks=(),
    seed=None,
    verbose=0,
    **options,
):
    """Train a reconstructor on the one scan that it is to rebuild.

    There is no training set. A part Γ of the acquired samples is set aside,
    once. `HoldOut` trains on the rest, with a new split each time, and stops
    when the error on Γ no longer falls, since a network can fit the noise of
    one scan. The weights of the lowest error then rebuild the image from all
    samples (Yaman, Hosseini and Akçakaya, "Zero-shot self-supervised learning
    for MRI reconstruction", ICLR 2022). Weights that were trained on other
    scans are a good start.

    `HoldOut` says what applies to the use of SSDU, and so of this.

    Args:
        model: A reconstructor, as for `HoldOut`. It is trained in place.
        kspace: Array `(slices, coils, H, W, 2)`, float32, the scan.
        mask: Array `(1, H or 1, W or 1, 1)`, not 0 where k-space was acquired;
            the same in all slices.
        maps: (Optional) array of the shape of `kspace`.
        validation: Float in (0, 1), the share of the samples in Γ.
        learning_rate: Positive float, of Adam.
        epochs: Integer ≥ 1, the most epochs.
        repeats: Integer ≥ 1, how often an epoch has each slice.
        patience: Integer ≥ 0, the epochs without a lower error on Γ after
            which training stops.
        batch_size: Integer ≥ 1.
        callbacks: Keras callbacks. `val_loss` is the error on Γ.
        seed: Integer or `None`, for the splits.
        verbose: As for `fit`.
        **options: Further arguments of `HoldOut`, such as `ratio` and `keep`.

    Returns:
        A pair: the trained reconstructor, and the image of all slices, an array
        `(slices, H, W, 2)`.

    Raises:
        ValueError: If an argument is invalid, if k-space is not finite, or if
            Γ or what is left to hold out is empty.

    Example:

    ```python
    reconstructor, image = loupe_tf.regimes.zero_shot(
        reconstructor, kspace, mask, maps, epochs=50, seed=0
    )
    ```
    """
    check_number("validation", validation, above=0, below=1)
    check_number("learning_rate", learning_rate, above=0)
    check_integer("repeats", repeats, at_least=1)
    kspace, mask = np.asarray(kspace, "float32"), np.asarray(mask, "float32")
    if kspace.ndim not in (5, 6) or kspace.shape[-1] != 2:
        raise invalid(
            "kspace",
            "shape (slices, coils, H, W, 2)",
            found=f"shape={kspace.shape}",
        )
    if mask.ndim != 4 or len(mask) != 1:
        raise invalid(
            "mask",
            "shape (1, H or 1, W or 1, 1): one mask of the scan",
            found=f"shape={mask.shape}",
        )
    if not np.isfinite(kspace).all():
        slices = ~np.isfinite(kspace).all(axis=tuple(range(1, kspace.ndim)))
        raise invalid(
            "kspace",
            "finite samples",
            found=f"others in slices {np.flatnonzero(slices).tolist()}",
        )
    if maps is not None:
        maps = check_finite("maps", np.asarray(maps, "float32"))
    regime = OneScan(model, mask, validation, seed=seed, **options)
    regime.compile(keras.optimizers.Adam(learning_rate))
    masks = np.repeat(mask, len(kspace), axis=0)
    scan = [kspace, masks, *([] if maps is None else [maps])]
    stop = keras.callbacks.EarlyStopping(
        "val_loss", patience=patience, mode="min", restore_best_weights=True
    )
    regime.fit(
        [np.repeat(x, repeats, axis=0) for x in scan],
        validation_data=(scan,),
        epochs=check_integer("epochs", epochs, at_least=1),
        batch_size=batch_size,
        callbacks=[stop, *callbacks],
        verbose=verbose,
    )
    image = regime.predict(scan, batch_size, verbose=0)
    return regime.reconstructor, image


class OneScan(HoldOut):
    """Hold-out that never trains on a fixed part of the samples.

    Args:
        model, **options: As for `HoldOut`.
        mask: Array `(1, H or 1, W or 1, 1)`, the mask of the scan.
        validation: Float in (0, 1), the share of the fixed part. It is what
            validation compares with.
    """

    def __init__(self, model, mask, validation, seed=None, **options):
        super().__init__(model, seed=seed, **options)
        arguments = {"keep": self.keep, "kind": self.kind, "lines": self.lines}
        parts = split(mask, validation, seed=seed, **arguments)
        rest, spare = (keras.ops.convert_to_numpy(x) for x in parts)
        split(rest, self.ratio, seed=0, **arguments)  # Or there is an error.
        self.spare = spare

    def split(self, mask, training):
        mask = keras.ops.convert_to_tensor(mask, "float32")
        rest = keras.ops.where(self.spare > 0, 0.0, mask)
        if training:
            return super().split(rest, training)
        return rest, mask - rest
