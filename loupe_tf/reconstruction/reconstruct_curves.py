"""Rebuild images from the samples of a non-Cartesian scan."""

import numpy as np
import tqdm

from loupe_tf.checks import check_number, invalid
from loupe_tf.formats.kspace_files import four_axes
from loupe_tf.numpy_operators import check_complex
from loupe_tf.reconstruction.compensated_adjoint import CompensatedAdjoint
from loupe_tf.reconstruction.curve_maps import curve_maps
from loupe_tf.reconstruction.curve_network import CurveNetwork
from loupe_tf.reconstruction.curve_reconstructor import CurveReconstructor
from loupe_tf.reconstruction.slice_maps import maps_by_slice


def reconstruct_curves(
    model,
    samples,
    trajectory,
    maps,
    leading=None,
    scale=None,
    verbose=0,
    espirit_options=None,
):
    """Do the work of `reconstruct` for a `Trajectory` in place of a mask."""
    if not isinstance(model, CurveReconstructor):
        model = CurveNetwork(model)
    if not hasattr(samples, "shape"):
        samples = np.asarray(samples)
    shape = four_axes(samples.shape, leading)
    one = len(samples.shape) == 2 or leading == "coils"
    maps_of = maps_by_slice(
        maps,
        (*shape[:2], *(trajectory.matrix or ())),
        lambda samples, **options: curve_maps(samples, trajectory, **options),
        isinstance(model, CurveNetwork),
        espirit_options,
    )
    apply = model.prepare(trajectory)
    if scale is not None:
        check_number("scale", scale, above=0)

    def read(i):
        found = samples[...] if one else samples[i]
        return check_complex("samples", found).reshape(shape[1:])

    if model.needs_scale and scale is None:
        scale = _largest(shape[0], read, trajectory)
    scale = np.float32(1 if scale is None else scale)
    images = []
    slices = tqdm.trange(
        shape[0], unit="slice", leave=False, disable=not verbose
    )
    for i in slices:
        found = read(i)
        images.append(apply(found / scale, maps_of(found, i)) * scale)
    return images[0] if one else np.stack(images)


def _largest(slices, read, trajectory):
    """Return the largest pixel of all slices, of the compensated adjoint."""
    adjoint = CompensatedAdjoint().prepare(trajectory)
    largest = max(float(np.abs(adjoint(read(i))).max()) for i in range(slices))
    if not largest:
        raise invalid("samples", "samples above 0", found="zeros")
    return largest
