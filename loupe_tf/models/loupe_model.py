import difflib
import inspect
import warnings

from loupe_tf.checks import check_choice, check_integer, invalid
from loupe_tf.masks.arguments import standardize_field_of_view
from loupe_tf.models.adjoint_network import AdjointNetwork
from loupe_tf.models.loupe import Loupe
from loupe_tf.models.non_uniform_adjoint_network import (
    NonUniformAdjointNetwork,
)
from loupe_tf.models.takes_kspace import takes_kspace
from loupe_tf.models.unet import unet
from loupe_tf.samplers import LearnedTrajectory, from_keywords

RECONSTRUCTIONS = ("magnitude", "complex")


def loupe_model(
    input_shape,
    acceleration=None,
    mask=None,
    mask_input=False,
    lines=None,
    half_plane=None,
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
    sampler=None,
    magnitude=None,
    peak_snr=None,
    **unet_options,
):
    """Build LOUPE: a k-space mask and a reconstruction, trained together.

    The model takes fully sampled images, samples their k-space with a mask,
    and rebuilds the images, so `model.fit(images, images)` learns the mask and
    the network together. With F the orthonormal Fourier transform and D the
    network, equations 1 and 2 of the 4S paper (Martinini et al., BioCAS 2022)
    are

        y = M ∘ F(x),    x̂ = |F⁻¹(y)| + D(F⁻¹(y))

    The keywords make the two parts of a `Loupe`. The sampler gives the mask.
    The reconstructor is a model `[kspace, mask, maps]` → image, available as
    `model.reconstructor`. Either may be given instead. The layers have the
    original LOUPE's names: `prob_mask` → `prob_mask_scaled` → `sampled_mask` →
    `under_sample_kspace` → `unet_output`, which is the reconstructor. K-space
    and masks are centred.

    With `coils`, the inputs are measurements of a scanner: fully sampled
    k-space k of all coils and their sensitivity maps S. One mask serves all
    coils, and the network gets the SENSE combination in place of F⁻¹(y):

        yᵢ = M ∘ kᵢ,    Σᵢ conj(Sᵢ) F⁻¹(yᵢ)

    Args:
        input_shape: Tuple `(H, W, 1)` for magnitude or `(H, W, 2)` for
            (real, imaginary) images; `(D, H, W, 1)` or `(D, H, W, 2)` for
            volumes. The read-out D is always acquired whole, so the mask
            covers the plane of H and W.
        acceleration: Float R > 1: a share 1/R of k-space (or of its lines) is
            acquired. Required unless the mask is given, is an input or depends
            on `sparsity_penalty`. Several rising numbers make nested masks
            from one set of logits, each inside the one before. The model then
            has a second input `acceleration_index`, integers `(batch,)`, that
            picks one of the numbers for each example. With `lines="both"`, a
            pair is `(R of rows, R of columns)`.
        mask: Boolean array or `SamplingMask`, centred, `(H, W)`, `(1, W)` or
            `(H, 1)`. The network is trained for this mask and none is learned.
        mask_input: Boolean. If `True`, the model has a second input, a mask
            `(H, W, 1)` for each example.
        lines: `None` for a mask of points, `"columns"` or `"rows"` for lines;
            `"both"` for the points where a row and a column of two learned
            masks meet. R is then split such that the number of rows times the
            number of columns is nearest to `H * W / R`.
        half_plane: (Optional) boolean, for images of one channel. If `True`,
            only one entry of each pair `{k, -k}` may be acquired, and its
            mirror is filled in, because real images have `y(-k) = conj y(k)`.
            The budget is that of the whole k-space. Defaults to `True` for a
            given mask that was learned so, else to `False`. A reconstructor
            from k-space must fill in mirrors itself, as those of
            `loupe_tf.models` do with `half_plane=True`.
        groups: `None`, or an integer G ≥ 2 for one mask per group (of
            contrasts or slices, for instance), with a common budget. The model
            then has a second input `group`, integers `(batch,)` in [0, G).
        calibration: Size of the calibration region, which is always acquired
            and counts towards the budget: an integer (the number of lines, or
            the side of a square) or a pair `(h, w)`; `None` or 0 for none.
            `"auto"` is fastMRI's share of the lines, 0.32 / R
            (`default_calibration`), for the largest R of nested masks, and
            none with `sparsity_penalty`. In a half-plane, mirrors fill the
            other half of the region.
        estimator: String, the way masks are drawn in training: the name of an
            entry of `loupe_tf.layers.estimators.ESTIMATORS`, such as
            `"straight_through"`; see `ThresholdRandomMask`.
        slope: Positive float, the initial slope s, which 4S raises. Defaults
            to the `slope` of the estimator's entry, 20 for `"relaxed"`.
        prob_slope: Positive float, the constant t of `S = σ(t·γ)`. A step of
            Adam moves a probability by at most t/4 times the learning rate, so
            a rate below 0.01 needs a larger t, such as 0.05 / rate.
        binarization: The kind of mask used at inference: `"exact"`,
            `"threshold"`, `"sampled"` or `"relaxed"`; see
            `ThresholdRandomMask`.
        sparsity_penalty: Positive float λ. As in version 1 of the original
            (Bahadir et al., IPMI 2019), nothing is rescaled, and λ times the
            mean probability is added to the loss. The acceleration is then a
            result of training.
        reconstruction: `"magnitude"` for equation 2; `"complex"` for
            `F⁻¹(y) + D(F⁻¹(y))`, where D has two output channels; see
            `magnitude` for what the model returns.
        reconstructor: A network D, a `keras.Model` or layer from
            `(batch, H, W, 2)` to one channel (magnitude) or two (complex);
            defaults to `"unet"`, a `loupe_tf.models.unet`. Alternatively your
            own reconstructor, a `keras.Model` or layer from `[kspace, mask]`,
            or `[kspace, mask, maps]` with coils, to the image, with the shapes
            of `AdjointNetwork`. `"zero_filled"` leaves D out. With several
            coils, the default warns that a U-Net cannot use the maps, unless
            `data_consistency` does; `"unet"` by name does not.
        data_consistency: Boolean. If `True`, the acquired samples are put back
            into the reconstruction (`DataConsistency`). With `coils`, this is
            done for the image of each coil, and the maps then combine the
            images again. If the squared magnitudes of the maps sum to 1, this
            is the step `x - Σ conj(Sᵢ) F⁻¹(M ∘ F(Sᵢ x) - yᵢ)` towards the
            data. Images with a phase, those of coils among them, need
            `reconstruction="complex"`.
        coils: `None`, the number of coils, or `"any"`. With coils, the inputs
            are `kspace` and `maps`, both `(batch, coils, H, W, 2)`,
            orthonormal, with DC at `(H // 2, W // 2)`. `input_shape` is then
            `(H, W, 2)`, the shape of the image, or `(H, W, 1)` for its
            magnitude. `loupe_tf.simulation` makes such inputs from images. A
            reconstructor that estimates the maps itself leaves `kspace` as
            the only input; see `SensitivityMaps`.
        snr: `None`, or the signal-to-noise ratio in dB of the receiver noise
            that is added to k-space in training, in proportion to the power of
            each example; see `ReceiverNoise`, and `peak_snr`.
        seed: Integer or `None`, seed of the mask's initial values, the
            realizations and the noise.
        field_of_view: (Optional) size `(H, W)` of the images in mm. It does
            not change the model, but is saved with it and passed on to masks
            read from it, so that they can be exported.
        name: String, name of the model.
        sampler: (Optional) a `loupe_tf.samplers.Sampler`, such as
            `GivenTrajectory` for a non-Cartesian scan, in place of
            `acceleration`, `mask`, `mask_input`, `lines`, `half_plane`,
            `groups`, `calibration`, `estimator`, `slope`, `prob_slope`,
            `binarization` and `sparsity_penalty`.
        magnitude: (Optional) boolean, whether the model returns the magnitude
            of a complex reconstruction. Defaults to `True` if the input is a
            magnitude. A reconstructor from k-space to a complex image needs
            `True` for complex images whose targets are magnitudes.
        peak_snr: `None`, or in place of `snr` a positive float, the brightest
            pixel of a volume over the standard deviation of the noise in the
            real or imaginary part of each sample. All examples get the same
            noise, as the slices of a scan do. Images must have been divided by
            the maximum of their volume.
        **unet_options: Arguments of `loupe_tf.models.unet`, such as
            `filters`, `depth`, `normalization` or `preset`.

    Returns:
        A `Loupe`: a `keras.Model` from images `(batch, H, W, C)`, or from
        `[kspace, maps]` with `coils`, to images `(batch, H, W, 1)`, or
        `(batch, H, W, 2)` for a complex reconstruction without `magnitude`;
        float32. Volumes have the axis D after the batch.

    Raises:
        ValueError: If arguments are invalid or do not go together.

    Example:

    ```python
    model = loupe_tf.models.loupe_model((320, 320, 1), acceleration=4)
    model.compile(keras.optimizers.Adam(1e-2), loss="mse")
    model.fit(images, images, batch_size=16, epochs=100)
    mask = loupe_tf.masks.from_model(model)
    ```
    """
    _check_options(unet_options, reconstructor)
    input_shape = tuple(input_shape)
    _check_shape(input_shape, coils)
    field_of_view = standardize_field_of_view(field_of_view)
    check_choice("reconstruction", reconstruction, RECONSTRUCTIONS)
    if magnitude is None:
        magnitude = input_shape[-1] == 1
    is_magnitude = reconstruction == "magnitude"
    has_phase = coils is not None or input_shape[-1] == 2
    if data_consistency and is_magnitude and has_phase:
        raise invalid(
            "data_consistency",
            "reconstruction='complex', because a magnitude does not contain "
            "the phase of complex images, which those of maps are too",
            found="reconstruction='magnitude'",
        )
    if half_plane is None and has_phase:
        half_plane = False
    sampler = from_keywords(
        sampler=sampler,
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
    if sampler.half_plane and coils is not None:
        raise invalid(
            "half_plane",
            "False with coils, because their maps give images a phase",
            True,
        )
    if sampler.half_plane and input_shape[-1] == 2:
        raise invalid(
            "half_plane",
            "False for images of two channels, because they have a phase",
            True,
        )
    for key, value in (("snr", snr), ("peak_snr", peak_snr)):
        if sampler.half_plane and value is not None:
            raise invalid(
                key,
                "None with half_plane=True, because a sample and its mirror "
                "have the same noise",
                value,
            )
    if sampler.curves:
        _check_curves(input_shape, data_consistency)
    if reconstructor is None:
        if coils not in (None, 1) and not data_consistency:
            _warn_of_unused_maps(input_shape, sampler.curves)
        reconstructor = "unet"

    def make_reconstructor(measured):
        network = reconstructor
        if network == "unet":
            network = unet(
                (*input_shape[:-1], 2),
                output_channels=1 if is_magnitude else 2,
                **unet_options,
            )
        elif network == "zero_filled":
            network = None
        elif takes_kspace(network, measured):
            _check_takes_all(data_consistency, reconstruction)
            _check_fills_mirror(network, sampler.half_plane)
            return network
        _check_channels(network)
        if sampler.curves:
            return NonUniformAdjointNetwork(
                input_shape[:2],
                network,
                reconstruction=reconstruction,
                magnitude=magnitude,
                density_compensation=_density(sampler),
                trajectory=getattr(sampler, "trajectory", None),
                name="unet_output",
            )
        return AdjointNetwork(
            network,
            reconstruction=reconstruction,
            data_consistency=data_consistency,
            half_plane=sampler.half_plane,
            magnitude=magnitude,
            name="unet_output",
        )

    estimates_maps = not getattr(reconstructor, "needs_maps", True)
    if estimates_maps:
        _check_takes_all(data_consistency, reconstruction)
    model = Loupe(
        input_shape,
        sampler,
        reconstructor if estimates_maps else make_reconstructor,
        coils=coils,
        snr=snr,
        field_of_view=field_of_view or sampler.field_of_view,
        seed=seed,
        name=name,
        magnitude=magnitude,
        peak_snr=peak_snr,
    )
    if sampler.curves:
        _check_size(model.output_shape[1:3], input_shape[:2])
    return model


def _density(sampler):
    """Let gradients reach positions that are learned through D as well."""
    return "differentiable" if isinstance(sampler, LearnedTrajectory) else True


def _check_options(options, reconstructor):
    """Refuse keywords that nothing takes, and those of a U-Net that is not."""
    taken = {*inspect.signature(unet).parameters} - {
        *("input_shape", "output_channels", "name")
    }
    for name, value in options.items():
        if name in taken:
            continue
        own = {*inspect.signature(loupe_model).parameters} - {"unet_options"}
        close = difflib.get_close_matches(name, own | taken, 1, cutoff=0.5)
        raise invalid(
            name,
            "an argument of `loupe_model`, or of `unet` for its network"
            + "".join(f"; `{other}` is one" for other in close),
            value,
        )
    if options and reconstructor not in (None, "unet"):
        names = ", ".join(f"`{name}`" for name in options)
        raise invalid(
            next(iter(options)),
            "only arguments of the sampling beside a `reconstructor`, since "
            f"{names} would be those of the U-Net that it replaces; give them "
            "to your own network",
            found=", ".join(f"{k}={v!r}" for k, v in options.items()),
        )


def _warn_of_unused_maps(input_shape, curves):
    """Say which network to take for several coils."""
    size = tuple(input_shape[:2])
    better = f"NCPDNet({size})" if curves else f"MoDL.with_unet({size})"
    warnings.warn(
        "The default U-Net gets one combined image of all coils and cannot use "
        "their sensitivity maps to separate what is aliased; pass "
        f"reconstructor={better}, which can, or reconstructor='unet' if you "
        "want the U-Net.",
        stacklevel=3,
    )


def _check_channels(network):
    """Refuse an image network that does not take complex images."""
    shape = getattr(network, "input_shape", None)
    if isinstance(shape, tuple) and shape and shape[-1] not in (2, None):
        raise invalid(
            "reconstructor",
            "a network on complex images (batch, H, W, 2), the real and the "
            "imaginary part",
            found=f"one on {shape}",
        )


def _check_takes_all(data_consistency, reconstruction):
    """Refuse options beside a reconstructor from k-space to the image."""
    beside = "with a reconstructor that takes k-space itself"
    if data_consistency:
        raise invalid("data_consistency", f"False {beside}", True)
    if reconstruction != "magnitude":
        raise invalid("reconstruction", f"its default {beside}", reconstruction)


def _check_fills_mirror(reconstructor, half_plane):
    """Refuse a reconstructor that would ignore the other half of k-space."""
    if half_plane and getattr(reconstructor, "half_plane", None) is False:
        raise invalid(
            "reconstructor",
            "one that fills in the mirror of half a k-space, "
            f"{type(reconstructor).__name__}(..., half_plane=True)",
            found=f"{reconstructor.name!r} with half_plane=False",
        )


def _check_curves(input_shape, data_consistency):
    """Refuse what only a mask can be combined with."""
    if len(input_shape) != 3:
        raise invalid(
            "input_shape", "(H, W, 1) or (H, W, 2) with curves", input_shape
        )
    if data_consistency:
        raise invalid(
            "data_consistency",
            "False with curves, whose samples are no entries of the image's "
            "k-space; `NCPDNet` is a network with steps towards the samples",
            True,
        )


def _check_size(found, expected):
    """Refuse a network that rebuilds images of another size from curves."""
    if found != tuple(expected) and None not in (*found, *expected):
        raise invalid(
            "reconstructor",
            f"a network whose images have the size {tuple(expected)} of "
            "`input_shape`",
            found=f"one of images of the size {found}",
        )


def _check_shape(input_shape, coils):
    if len(input_shape) not in (3, 4) or input_shape[-1] not in (1, 2):
        raise invalid(
            "input_shape",
            "(H, W, 1), (H, W, 2), (D, H, W, 1) or (D, H, W, 2)",
            input_shape,
        )
    if coils is None:
        return
    if coils != "any":
        check_integer("coils", coils, at_least=1)
    if len(input_shape) != 3:
        raise invalid(
            "input_shape", "(H, W, 2) or (H, W, 1) with coils", input_shape
        )
