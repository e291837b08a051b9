"""The sensitivity maps of each slice, for masks and for curves."""

import numpy as np

from loupe_tf.checks import check_options, invalid
from loupe_tf.reconstruction.espirit import espirit_maps


def maps_by_slice(maps, shape, estimate, network, options=None):
    """Return a function from k-space and index of a slice to its maps.

    Args:
        maps: As for `reconstruct`.
        shape: Tuple `(slices, coils, *size)`, size that of the image.
        estimate: Function from the k-space of a slice and keywords to maps,
            for `"espirit"`.
        network: Boolean, whether the maps are for a network.
        options: (Optional) dictionary of these keywords, those of
            `espirit_maps`.

    Raises:
        ValueError: If the maps are of another shape, or if there is nothing to
            estimate.
    """
    check_options("maps='espirit'", espirit_maps, options or {})
    if isinstance(maps, str):
        if maps != "espirit":
            raise invalid("maps", "an array, 'espirit' or None", maps)
        if shape[1] == 1:
            raise invalid("maps", "None for one coil", maps)
        # Simulated maps, which networks are trained with, are not cropped.
        options = {**({"crop": 0} if network else {}), **(options or {})}
        return lambda samples, i: estimate(samples, **options)
    if options:
        raise invalid("espirit_options", "None without 'espirit'", options)
    if maps is None:
        return lambda samples, i: None
    maps = np.asarray(maps)
    shape = tuple(shape)
    if maps.shape not in (shape[1:], shape):
        raise invalid("maps", f"shape {shape[1:]} or {shape}", found=maps.shape)
    return lambda samples, i: maps[i] if maps.ndim == len(shape) else maps
