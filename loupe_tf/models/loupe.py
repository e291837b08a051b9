import keras

from loupe_tf import layers
from loupe_tf.checks import check_choice, invalid
from loupe_tf.models.unet import unet
from loupe_tf.samplers import from_keywords


def loupe_model(
    input_shape,
    acceleration=None,
    mask=None,
    mask_input=False,
    lines=None,
    half_plane=False,
    groups=None,
    calibration="auto",
    estimator="relaxed",
    slope=None,
    prob_slope=5.0,
    binarization="exact",
    sparsity_penalty=None,
    reconstruction="magnitude",
    reconstructor=None,
    data_consistency=False,
    coils=None,
    snr=None,
    seed=None,
    field_of_view=None,
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

    With `coils` the inputs are what a scanner measures: fully sampled k-space
    of all coils and their sensitivity maps S. One mask serves all coils, and
    the network sees their SENSE combination in place of F⁻¹(y),

        yᵢ = M ∘ kᵢ,    Σᵢ conj(Sᵢ) F⁻¹(yᵢ)

    Args:
        input_shape: Tuple `(H, W, 1)` for magnitude or `(H, W, 2)` for
            (real, imaginary) images. `(D, H, W, 1)` or `(D, H, W, 2)` for
            volumes, of which D is the read-out, always acquired whole: the
            mask is one of the plane of H and W.
        acceleration: Float > 1, R; a share 1/R of k-space (or of its lines) is
            acquired. Given unless the mask is fixed, an input, or left to
            `sparsity_penalty`. Several rising numbers for nested masks, of one
            set of logits, each inside of the one before; the model has a
            second input `acceleration_index` then: integers `(batch,)`, which
            of the numbers holds for each example. With `lines="both"` a pair
            is `(R of rows, R of columns)`.
        mask: Boolean array or `SamplingMask`, centred, `(H, W)`, `(1, W)` or
            `(H, 1)`: train for this mask and learn none.
        mask_input: Boolean. If `True` the model has a second input, a mask
            `(H, W, 1)` for each example.
        lines: `None` for a mask of points, `"columns"` or `"rows"` for lines;
            `"both"` for the points where a row and a column of two learned
            masks meet. R is split between the two, so that their product is
            nearest to `H * W / R`.
        half_plane: Boolean, for images of one channel. If `True` only one of
            each pair `{k, -k}` may be acquired, and what the mask acquires is
            filled in at its mirror, since real images have
            `y(-k) = conj y(k)`. The budget is that of the whole k-space.
        groups: `None`, or an integer G ≥ 2 for a mask a group (of contrasts,
            of slices), with one budget for all. The model has a second input
            `group`: integers `(batch,)` in [0, G).
        calibration: Size of the calibration region, which is always acquired
            and counts inside the budget: an integer (lines, or the side of a
            square), or a pair `(h, w)`; `None` or 0 for none. `"auto"` is
            fastMRI's share of the lines, 0.32 / R (`default_calibration`; of
            nested masks that of the largest R), and none with
            `sparsity_penalty`. In a half-plane it is what fills the
            region with its mirrors.
        estimator: `"relaxed"`, `"straight_through"`, `"concrete"` or
            `"gumbel_topk"`; see `ThresholdRandomMask`.
        slope: Positive float, the initial slope s that 4S raises; by default
            20 for `"relaxed"`, 12 for `"straight_through"`, 1.5 for
            `"concrete"` and 1 for `"gumbel_topk"`.
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
            into the reconstruction (`DataConsistency`): with `coils` into the
            image of each coil, which the maps then combine again. That is the
            step `x - Σ conj(Sᵢ) F⁻¹(M ∘ F(Sᵢ x) - yᵢ)` towards the data, for
            maps whose squares sum to 1.
        coils: `None`, the number of coils, or `"any"`. The inputs then are
            `kspace` and `maps`, both `(batch, coils, H, W, 2)`, orthonormal, DC
            at `(H // 2, W // 2)`, and `input_shape` is `(H, W, 2)`, that of the
            image. `loupe_tf.simulation` makes them of images.
        snr: `None`, or the signal-to-noise ratio in dB of the receiver noise
            that is added to k-space in training, see `ReceiverNoise`.
        seed: Integer or `None`; of the mask's initial values, the realizations
            and the noise.
        field_of_view: (Optional) size `(H, W)` of the images in mm. The model
            is the same; it is saved with it, and the masks that are read from
            it have it, so that they can be exported.
        name: String, name of the model.
        **unet_options: Arguments of `loupe_tf.models.unet`, such as
            `filters`, `depth`, `normalization` or `preset`.

    Returns:
        A `keras.Model` from images `(batch, H, W, C)` to reconstructions
        `(batch, H, W, 1)`, or `(batch, H, W, 2)` for a complex reconstruction
        of complex images; float32. With D after the batch for volumes. With
        `coils` from `[kspace, maps]`.

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
    if len(input_shape) not in (3, 4) or input_shape[-1] not in (1, 2):
        raise invalid(
            "input_shape",
            "(H, W, 1), (H, W, 2), (D, H, W, 1) or (D, H, W, 2)",
            input_shape,
        )
    check_choice("reconstruction", reconstruction, ("magnitude", "complex"))
    is_magnitude = reconstruction == "magnitude"
    if data_consistency and is_magnitude and input_shape[-1] == 2:
        raise invalid(
            "data_consistency",
            "reconstruction='complex', since the phase of a complex image is "
            "not in its magnitude",
            found="reconstruction='magnitude'",
        )
    if coils is not None:
        is_count = isinstance(coils, int) and coils > 0
        if coils != "any" and (not is_count or coils is True):
            raise invalid("coils", "None, a positive integer or 'any'", coils)
        if len(input_shape) != 3 or input_shape[-1] != 2:
            raise invalid("input_shape", "(H, W, 2) with coils", input_shape)
    sampler = from_keywords(
        acceleration=acceleration,
        mask=mask,
        mask_input=mask_input,
        lines=lines,
        half_plane=half_plane,
        groups=groups,
        calibration=calibration,
        estimator=estimator,
        slope=slope,
        prob_slope=prob_slope,
        binarization=binarization,
        sparsity_penalty=sparsity_penalty,
        seed=seed,
    )
    if sampler.half_plane and input_shape[-1] != 1:
        raise invalid(
            "half_plane",
            "False for complex images, whose k-space has no symmetry",
            half_plane,
        )
    if sampler.half_plane and snr is not None:
        raise invalid(
            "snr",
            "none beside half_plane=True, where a sample and its mirror have "
            "the same noise",
            snr,
        )
    if unet_options and reconstructor is not None:
        raise invalid(
            "reconstructor",
            "options of the U-Net only where no reconstructor is given",
            sorted(unet_options),
        )

    if coils is None:
        inputs = [keras.Input(input_shape, dtype="float32", name="input")]
    else:
        shape = (None if coils == "any" else coils, *input_shape)
        inputs = [
            keras.Input(shape, dtype="float32", name=key)
            for key in ("kspace", "maps")
        ]
    more_inputs = sampler.inputs(input_shape[-3:-1])
    mask_tensor = sampler(inputs[0], *more_inputs)
    if sampler.half_plane:
        mask_tensor = layers.ConjugateFill(name="filled_mask")(mask_tensor)

    # The forward operator: y = M ∘ F x. Of volumes F is left to H and W: the
    # mask is the same all along D, whose transform its inverse would undo.
    x = kspace = inputs[0]
    if coils is None:
        if input_shape[-1] == 1:
            x = layers.ConcatenateZero(name="concat_zero")(x)
        kspace = layers.FFT(centered=False, name="fft")(x)
    # DC in the corner is cheaper; k-space that comes in is centred.
    dc = {"centered": coils is not None}
    if snr is not None:
        kspace = layers.ReceiverNoise(
            snr, None if seed is None else seed + 2, name="receiver_noise"
        )(kspace)
    if field_of_view is None:
        field_of_view = sampler.field_of_view
    measured = layers.UnderSample(
        **dc, field_of_view=field_of_view, name="under_sample_kspace"
    )([kspace, mask_tensor])

    # The reconstructor: it sees the adjoint, not where the mask came from.
    if coils is None:
        adjoint = layers.IFFT(**dc, name="under_sample_img")(measured)
    else:
        x = layers.IFFT(**dc, name="under_sample_coils")(measured)
        adjoint = layers.CombineCoils(name="under_sample_img")([x, inputs[1]])
    if reconstructor is None:
        reconstructor = unet(
            (*input_shape[:-1], 2),
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
        if coils is not None:
            x = layers.ExpandCoils(name="expand_coils")([x, inputs[1]])
        x = layers.DataConsistency(**dc, name="data_consistency")(
            [x, measured, mask_tensor]
        )
        if coils is not None:
            x = layers.CombineCoils(name="combine_coils")([x, inputs[1]])
    if x.shape[-1] == 2 and input_shape[-1] == 1:
        x = layers.ComplexAbs(name="magnitude")(x)
    inputs += more_inputs
    return keras.Model(inputs if len(inputs) > 1 else inputs[0], x, name=name)
