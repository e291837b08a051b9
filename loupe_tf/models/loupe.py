import keras
import numpy as np

from loupe_tf import layers
from loupe_tf.models.unet import unet

# Where each estimator learns well: the slope multiplies P - U for the first
# two, and logits for the others.
SLOPES = {
    "relaxed": 200.0,
    "straight_through": 12.0,
    "concrete": 1.5,
    "gumbel_topk": 1.0,
}


def loupe_model(
    input_shape,
    acceleration=None,
    mask=None,
    mask_input=False,
    lines=None,
    calibration=None,
    estimator="relaxed",
    slope=None,
    prob_slope=5.0,
    binarization="exact",
    sparsity_penalty=None,
    reconstruction="magnitude",
    reconstructor=None,
    data_consistency=False,
    seed=None,
    name="loupe",
    **unet_options,
):
    """Build LOUPE: a k-space mask and a reconstruction, trained together.

    The model takes fully sampled images, samples their k-space with a mask,
    and rebuilds the images, so that `model.fit(images, images)` learns the
    mask and the network at once. With F the orthonormal Fourier transform and
    D the reconstructor, equations 1 and 2 of the 4S paper (Martinini et al.,
    BioCAS 2022) are

        y = M ∘ F(x),    x̂ = |F⁻¹(y)| + D(F⁻¹(y))

    The layers have the original LOUPE's names: `prob_mask` →
    `prob_mask_scaled` → `sampled_mask` → `under_sample_kspace` →
    `unet_output`. The k-space inside the model has DC in the corner; every
    mask is centred.

    Args:
        input_shape: Tuple `(H, W, 1)` for magnitude or `(H, W, 2)` for
            (real, imaginary) images.
        acceleration: Float > 1, R; a share 1/R of k-space (or of its lines) is
            acquired. Given unless the mask is fixed, an input, or left to
            `sparsity_penalty`.
        mask: Boolean array or `SamplingMask`, centred, `(H, W)`, `(1, W)` or
            `(H, 1)`: train for this mask and learn none.
        mask_input: Boolean. If `True` the model has a second input, a mask
            `(H, W, 1)` for each example.
        lines: `None` for a mask of points, `"columns"` or `"rows"` for lines.
        calibration: `None` or size of the calibration region, which is always
            acquired and counts inside the budget: an integer (lines, or the
            side of a square), or a pair `(h, w)`.
        estimator: `"relaxed"`, `"straight_through"`, `"concrete"` or
            `"gumbel_topk"`; see `ThresholdRandomMask`.
        slope: Positive float, the initial slope s that 4S raises; by default
            200 for `"relaxed"` and smaller for the others.
        prob_slope: Positive float, the constant t of `S = σ(t·γ)`.
        binarization: What inference does with the probabilities: `"exact"`,
            `"threshold"`, `"sampled"` or `"relaxed"`; see
            `ThresholdRandomMask`.
        sparsity_penalty: Positive float λ: the original's version 1 (Bahadir
            et al., IPMI 2019), in which nothing is rescaled and λ times the
            mean probability is added to the loss. The acceleration is then
            what comes out of training.
        reconstruction: `"magnitude"` for equation 2; `"complex"` for
            `F⁻¹(y) + D(F⁻¹(y))` with two channels out of D, of which the
            magnitude is taken if the input is one.
        reconstructor: A `keras.Model` or layer D from `(batch, H, W, 2)` to
            one channel (magnitude) or two (complex); by default a
            `loupe_tf.models.unet`. `"zero_filled"` leaves D out.
        data_consistency: Boolean. If `True` the acquired samples are put back
            into the reconstruction (`DataConsistency`).
        seed: Integer or `None`; of the mask's initial values and
            realizations.
        name: String, name of the model.
        **unet_options: Arguments of `loupe_tf.models.unet`, such as
            `filters`, `depth`, `normalization` or `preset`.

    Returns:
        A `keras.Model` from images `(batch, H, W, C)` to reconstructions
        `(batch, H, W, 1)`, or `(batch, H, W, 2)` for a complex reconstruction
        of complex images; float32.

    Raises:
        ValueError: If arguments are invalid, or do not go together.

    Example:

    ```python
    model = loupe_tf.models.loupe_model((320, 320, 1), acceleration=4)
    model.compile(keras.optimizers.Adam(1e-2), loss="mse")
    model.fit(images, images, batch_size=16, epochs=100)
    mask = loupe_tf.masks.from_model(model)
    ```
    """
    input_shape = tuple(input_shape)
    if len(input_shape) != 3 or input_shape[-1] not in (1, 2):
        _raise("input_shape", "(H, W, 1) or (H, W, 2)", input_shape)
    if reconstruction not in ("magnitude", "complex"):
        _raise("reconstruction", "'magnitude' or 'complex'", reconstruction)
    is_magnitude = reconstruction == "magnitude"
    if data_consistency and is_magnitude and input_shape[-1] == 2:
        _raise(
            "data_consistency",
            "reconstruction='complex', since the phase of a complex image is "
            "not in its magnitude",
            "reconstruction='magnitude'",
        )
    if unet_options and reconstructor is not None:
        _raise(
            "reconstructor",
            "options of the U-Net only where no reconstructor is given",
            sorted(unet_options),
        )

    # The sampler and the forward operator: y = M ∘ F x.
    image = keras.Input(input_shape, name="input")
    inputs = [image]
    x = image
    if input_shape[-1] == 1:
        x = layers.ConcatenateZero(name="concat_zero")(x)
    kspace = layers.FFT(centered=False, name="fft")(x)
    if mask_input or mask is not None:
        _learns_nothing(lines, calibration, estimator, slope, sparsity_penalty)
    if mask_input:
        mask_tensor = keras.Input((*input_shape[:2], 1), name="mask_input")
        inputs.append(mask_tensor)
        _only_one(mask_input=True, acceleration=acceleration, mask=mask)
    elif mask is not None:
        mask_tensor = layers.FixedMask(mask, name="sampled_mask")(image)
        _only_one(mask=mask, acceleration=acceleration)
    else:
        mask_tensor = _learned_mask(
            image,
            acceleration,
            sparsity_penalty,
            lines,
            calibration,
            estimator,
            SLOPES.get(estimator, 1.0) if slope is None else slope,
            prob_slope,
            binarization,
            seed,
        )
    measured = layers.UnderSample(centered=False, name="under_sample_kspace")(
        [kspace, mask_tensor]
    )

    # The reconstructor: it sees the adjoint, not where the mask came from.
    adjoint = layers.IFFT(centered=False, name="under_sample_img")(measured)
    if reconstructor is None:
        reconstructor = unet(
            (*input_shape[:2], 2),
            output_channels=1 if is_magnitude else 2,
            **unet_options,
        )
    x = adjoint
    if is_magnitude:
        x = layers.ComplexAbs(name="complex_addition")(adjoint)
    if reconstructor != "zero_filled":
        x = keras.layers.Add(name="unet_output", dtype="float32")(
            [x, reconstructor(adjoint)]
        )
    if data_consistency:
        if is_magnitude:
            x = layers.ConcatenateZero(name="concat_zero_output")(x)
        x = layers.DataConsistency(centered=False, name="data_consistency")(
            [x, measured, mask_tensor]
        )
    if x.shape[-1] == 2 and input_shape[-1] == 1:
        x = layers.ComplexAbs(name="magnitude")(x)
    return keras.Model(inputs if mask_input else image, x, name=name)


def _learned_mask(
    image,
    acceleration,
    sparsity_penalty,
    lines,
    calibration,
    estimator,
    slope,
    prob_slope,
    binarization,
    seed,
):
    if sparsity_penalty is None and not (
        isinstance(acceleration, int | float | np.number)
        and 1 < acceleration < float("inf")
    ):
        _raise("acceleration", "a number R > 1", acceleration)
    _only_one(acceleration=acceleration, sparsity_penalty=sparsity_penalty)
    prob = layers.ProbMask(
        slope=prob_slope, lines=lines, seed=seed, name="prob_mask"
    )(image)
    sparsity = None
    if sparsity_penalty is None:
        sparsity = 1 / float(acceleration)
        prob = layers.RescaleProbMap(
            sparsity, calibration=calibration, name="prob_mask_scaled"
        )(prob)
    else:
        prob = keras.layers.ActivityRegularization(
            l1=sparsity_penalty / (prob.shape[1] * prob.shape[2]),
            dtype="float32",
            name="sparsity_penalty",
        )(prob)
    return layers.ThresholdRandomMask(
        slope=slope,
        sparsity=sparsity,
        calibration=calibration,
        estimator=estimator,
        binarization=binarization,
        # Another seed than the logits have, whose first numbers are the same.
        seed=None if seed is None else seed + 1,
        name="sampled_mask",
    )([prob, image])


def _learns_nothing(lines, calibration, estimator, slope, penalty):
    given = {
        "lines": lines,
        "calibration": calibration,
        "estimator": None if estimator == "relaxed" else estimator,
        "slope": slope,
        "sparsity_penalty": penalty,
    }
    for name, value in given.items():
        if value is not None:
            _raise(name, "none where the mask is given, not learned", value)


def _only_one(**arguments):
    given = [key for key, value in arguments.items() if value is not None]
    if len(given) > 1:
        _raise(given[0], f"no `{given[1]}` beside it", f"both {given}")


def _raise(argument, expected, received):
    raise ValueError(
        f"Invalid value for argument `{argument}`. Expected {expected}. "
        f"Received: {received!r}"
    )
