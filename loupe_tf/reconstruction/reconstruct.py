"""Rebuild an image from raw k-space with a mask and a model."""

import contextlib
import os

import numpy as np
import tqdm

from loupe_tf import masks
from loupe_tf.checks import check_number, invalid
from loupe_tf.formats import load_kspace, load_mask, load_samples
from loupe_tf.formats.kspace_files import four_axes
from loupe_tf.masks.centre import judged
from loupe_tf.numpy_operators import (
    check_complex,
    check_mask,
)
from loupe_tf.reconstruction.espirit import espirit_maps
from loupe_tf.reconstruction.network import Network
from loupe_tf.reconstruction.reconstruct_curves import reconstruct_curves
from loupe_tf.reconstruction.reconstructor import Reconstructor
from loupe_tf.reconstruction.scan_checks import (
    check_slices,
    compare_masks,
    compare_views,
    fit_to_size,
)
from loupe_tf.reconstruction.slice_maps import maps_by_slice
from loupe_tf.trajectories import Trajectory


def reconstruct(
    model,
    kspace,
    mask,
    maps=None,
    leading=None,
    scale=None,
    shift=None,
    allow_zeros=False,
    verbose=0,
    espirit_options=None,
):
    """Rebuild an image, or a volume, from raw k-space.

    The k-space must have been measured with the mask; samples that the mask
    does not acquire are not used. One slice is in memory at a time. All slices
    are read twice: first to check them and find the scale, then to rebuild
    them.

    **Scale.** A model is trained on images divided by the maximum of their
    volume, but raw k-space has its own unit. The function therefore divides
    k-space by the maximum magnitude of the zero-filled volume, and multiplies
    the images by it, so the images have the unit of the k-space. For this
    maximum, coils are combined with the maps if `maps` is an array, otherwise
    by the root of the sum of squares. The zero-filled maximum is usually
    somewhat lower than that of the true volume; if you know the latter, pass it
    as `scale`.

    **Checks.** These inputs raise an error: a mask of another size (for lines:
    of another number of them), a mask with DC in a corner, and (unless
    `allow_zeros`) k-space that is zero in more than a twentieth of the points
    that the mask acquires, or in more than a quarter of one of its lines. Both
    ends where all lines are zero do not count, because read-outs may be
    zero-padded and echoes asymmetric.

    These inputs cause a warning: a mask other than the model's (with their
    overlap), an acceleration far from the model's, a field of view far from
    the mask's (if both are known), lines made for another length of the
    read-out (which oversampling changes), fewer zeros than above, lines that
    are zero over more than half of their length, samples that the mask does
    not acquire, and k-space whose largest sample is not near the centre.

    **Curves.** For a non-Cartesian scan, `mask` is its
    `loupe_tf.trajectories.Trajectory`, with a matrix, and `kspace` has (shots,
    samples) in the place of (H, W). The model is a
    `loupe_tf.reconstruction.CurveReconstructor`, such as `CgSense`, or a
    trained one for `CurveNetwork`; for the latter, `scale` defaults to the
    maximum of the adjoint with density compensation. None of the checks above
    is made.

    **Half-planes.** For a model of a half-plane, the mirror is filled in here
    too. Pass the mask of the measurement.

    **Volumes.** For a model of volumes, slices are the positions along the
    read-out, as in 3-D scans read by `loupe_tf.formats.load_kspace`. All slices
    go through the model at once.

    Args:
        model: A `loupe_model` or another model for
            `loupe_tf.reconstruction.Network`; the path of its `.keras` file
            (loaded in Keras's safe mode); or any
            `loupe_tf.reconstruction.Reconstructor`; for curves, see above.
        kspace: Complex array, orthonormal, with DC at `(H // 2, W // 2)`, of
            shape `(H, W)` or `(slices, coils, H, W)`, or with three axes, which
            require `leading`. Alternatively an object that has a `shape` and
            returns slices by index, such as a `KspaceVolume` or an h5py data
            set; or the path of a file that `loupe_tf.formats.load_kspace`
            reads.
        mask: `SamplingMask`, or array of booleans or of 0 and 1, of shape
            `(H, W)`, `(1, W)` or `(H, 1)`, with DC in the centre; or the path
            of a file that `loupe_tf.formats.load_mask` reads; or a
            `Trajectory`, see above.
        maps: Sensitivity maps for several coils, complex array
            `(coils, H, W)`, or `(slices, coils, H, W)` with maps for each
            slice; or `"espirit"` to estimate them from the centre of k-space of
            each slice (the extra `reconstruction`). Those for a network are
            not cropped to the object: simulated maps of a training are not
            either. Give the maps themselves if yours were.
        leading: `"coils"` or `"slices"`, the meaning of the first of three
            axes.
        scale: (Optional) positive number by which k-space is divided.
        shift: How to treat a mask that has DC in a corner; see
            `loupe_tf.masks.centred`.
        allow_zeros: Boolean. If `True`, zeros where the mask acquires samples
            count as measured and cause only a warning. Some files have columns
            of zeros around the measurement.
        verbose: 0 or 1, for a progress bar over the slices.
        espirit_options: (Optional) dictionary of arguments of `espirit_maps`
            for `maps="espirit"`, such as `{"threshold": 0.05}` for a noisy
            scan.

    Returns:
        Array `(H, W)`, or `(slices, H, W)` if `kspace` has an axis of slices,
        as files do; float32, or complex64 from reconstructors of complex
        images.

    Raises:
        ValueError: If arguments are invalid or do not fit each other.

    Example:

    ```python
    volume = loupe_tf.reconstruct("model.keras", "scan.h5", mask, "espirit")
    ```
    """
    if isinstance(mask, Trajectory):
        if isinstance(kspace, str | os.PathLike):
            options = {} if leading is None else {"leading": leading}
            with load_samples(kspace, mask, **options) as volume:
                return reconstruct_curves(
                    model,
                    volume,
                    mask,
                    maps,
                    None,
                    scale,
                    verbose,
                    espirit_options,
                )
        return reconstruct_curves(
            model,
            kspace,
            mask,
            maps,
            leading,
            scale,
            verbose,
            espirit_options,
        )
    with contextlib.ExitStack() as stack:
        if isinstance(kspace, str | os.PathLike):
            options = {} if leading is None else {"leading": leading}
            kspace = stack.enter_context(load_kspace(kspace, **options))
            leading = None  # The loaded k-space has all four axes.
        reconstructor = (
            model if isinstance(model, Reconstructor) else Network(model)
        )
        if not hasattr(kspace, "shape"):
            kspace = np.asarray(kspace)
        shape = four_axes(kspace.shape, leading)
        if isinstance(mask, str | os.PathLike):
            mask = load_mask(mask, shift=shift)
        else:
            if not isinstance(mask, masks.SamplingMask):
                mask = masks.SamplingMask(mask)
            mask = masks.centred(mask, shift)
        stack.enter_context(judged())  # `centred` has checked DC.
        return _reconstruct(
            reconstructor,
            kspace,
            shape,
            mask,
            maps,
            leading,
            scale,
            allow_zeros,
            verbose,
            espirit_options,
        )


def _reconstruct(
    reconstructor,
    kspace,
    shape,
    mask,
    maps,
    leading,
    scale,
    allow_zeros,
    verbose,
    espirit_options,
):
    """Do the work of `reconstruct`, with arguments in standard form."""
    acquired = check_mask(mask, shape[2:])
    mask = fit_to_size(mask, tuple(shape[2:]))
    compare_views(getattr(kspace, "field_of_view", None), mask)
    maps_of = maps_by_slice(
        maps,
        shape,
        lambda samples, **options: espirit_maps(samples, mask, **options),
        isinstance(reconstructor, Network),
        espirit_options,
    )
    if maps is None and shape[1] > 1 and reconstructor.needs_maps:
        # Files with four axes say what their axes are.
        ambiguous = leading is not None or len(kspace.shape) == 3
        slices = "; or leading='slices' if these are slices of one coil"
        raise invalid(
            "maps",
            f"sensitivity maps for the {shape[1]} coils of k-space, or "
            f"'espirit'{slices if ambiguous else ''}",
            None,
        )
    compare_masks(reconstructor.own_masks(), mask, shape[2:])
    measured = acquired
    nothing = np.zeros(shape[1:], np.complex64)
    acquired = reconstructor.complete(nothing, measured)[1]
    if acquired is not measured:
        height, width = mask.array.shape  # Lines stay lines.
        mask = masks.SamplingMask(acquired[:height, :width])

    one = len(kspace.shape) == 2 or leading == "coils"

    def read(i):
        samples = kspace[...] if one else kspace[i]
        samples = check_complex("kspace", samples).reshape(shape[1:])
        return reconstructor.complete(samples, measured)[0]

    fixed = None if isinstance(maps, str) else maps_of
    found = check_slices(read, mask, acquired, fixed, shape[0], allow_zeros)
    scale = found if scale is None else scale
    check_number("scale", scale, at_least=0)
    if not scale:
        raise invalid(
            "scale" if found else "kspace",
            "a positive number" if found else "acquired samples above 0",
            found=0,
        )

    def scaled(i):
        samples = np.where(acquired, read(i), 0) / np.float32(scale)
        return samples, maps_of(samples, i)

    slices = tqdm.trange(
        shape[0], unit="slice", leave=False, disable=not verbose
    )
    if reconstructor.is_volume:
        # The slices come after the coils.
        samples, own_maps = (
            None if part[0] is None else np.stack(part, axis=1)
            for part in zip(*map(scaled, slices))
        )
        images = reconstructor.reconstruct(samples, acquired, own_maps)
    else:
        images = []
        for samples, own_maps in map(scaled, slices):
            images.append(reconstructor(samples, mask, own_maps))
    images = np.stack(images) * np.float32(scale)
    return images[0] if one else images
