import keras

from loupe_tf import layers
from loupe_tf.models.sampler import raise_invalid, sampler
from loupe_tf.models.unet import unet


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
        raise_invalid("input_shape", "(H, W, 1) or (H, W, 2)", input_shape)
    if reconstruction not in ("magnitude", "complex"):
        raise_invalid(
            "reconstruction", "'magnitude' or 'complex'", reconstruction
        )
    is_magnitude = reconstruction == "magnitude"
    if data_consistency and is_magnitude and input_shape[-1] == 2:
        raise_invalid(
            "data_consistency",
            "reconstruction='complex', since the phase of a complex image is "
            "not in its magnitude",
            "reconstruction='magnitude'",
        )
    if unet_options and reconstructor is not None:
        raise_invalid(
            "reconstructor",
            "options of the U-Net only where no reconstructor is given",
            sorted(unet_options),
        )

    image = keras.Input(input_shape, name="input")
    mask_tensor, more_inputs = sampler(
        image,
        acceleration=acceleration,
        mask=mask,
        mask_input=mask_input,
        lines=lines,
        calibration=calibration,
        estimator=estimator,
        slope=slope,
        prob_slope=prob_slope,
        binarization=binarization,
        sparsity_penalty=sparsity_penalty,
        seed=seed,
    )

    # The forward operator: y = M ∘ F x.
    x = image
    if input_shape[-1] == 1:
        x = layers.ConcatenateZero(name="concat_zero")(x)
    kspace = layers.FFT(centered=False, name="fft")(x)
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
    inputs = [image, *more_inputs] if more_inputs else image
    return keras.Model(inputs, x, name=name)
