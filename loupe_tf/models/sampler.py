"""The sampler of `loupe_model`: which entries of k-space are acquired."""

import keras
import numpy as np

from loupe_tf import layers
from loupe_tf.masks.budget import is_integer, standardize_calibration
from loupe_tf.masks.patterns import default_calibration

LINES = (None, "columns", "rows", "both")

# Where each estimator learns well (docs/results/defaults.md): the slope
# multiplies P - U for the first two, and logits for the others.
SLOPES = {
    "relaxed": 20.0,
    "straight_through": 12.0,
    "concrete": 1.5,
    "gumbel_topk": 1.0,
}


def sampler(
    image,
    acceleration,
    mask,
    mask_input,
    lines,
    half_plane,
    groups,
    calibration,
    estimator,
    slope,
    prob_slope,
    binarization,
    sparsity_penalty,
    seed,
):
    """Build the sampler of `loupe_model`; the arguments are those there.

    Args:
        image: Keras tensor `(batch, H, W, C)` or `(batch, D, H, W, C)`, the
            input of the model.

    Returns:
        A pair: the mask, a Keras tensor `(1 or batch, H or 1, W or 1, 1)`,
        centred; and a list of the inputs it needs beside the image.
    """
    if isinstance(calibration, str) and calibration != "auto":
        raise_invalid(
            "calibration",
            "'auto', None, a non-negative integer or a pair of them",
            calibration,
        )
    if mask_input or mask is not None:
        _none_of(
            "none where the mask is given, not learned",
            lines=lines,
            half_plane=half_plane or None,
            groups=groups,
            calibration=None if calibration == "auto" else calibration,
            estimator=None if estimator == "relaxed" else estimator,
            slope=slope,
            sparsity_penalty=sparsity_penalty,
        )
    if mask_input:
        _only_one(mask_input=True, acceleration=acceleration, mask=mask)
        mask_tensor = keras.Input(
            (*image.shape[-3:-1], 1), dtype="float32", name="mask_input"
        )
        return mask_tensor, [mask_tensor]
    if mask is not None:
        _only_one(mask=mask, acceleration=acceleration)
        return layers.FixedMask(mask, name="sampled_mask")(image), []

    _only_one(acceleration=acceleration, sparsity_penalty=sparsity_penalty)
    if half_plane and image.shape[-1] != 1:
        raise_invalid(
            "half_plane",
            "`False` for complex images, whose k-space has no symmetry",
            half_plane,
        )
    if half_plane:
        _none_of(
            "none beside half_plane=True", sparsity_penalty=sparsity_penalty
        )
    options = {
        "calibration": calibration,
        "estimator": estimator,
        "slope": SLOPES.get(estimator, 1.0) if slope is None else slope,
        "prob_slope": prob_slope,
        "binarization": binarization,
        "sparsity_penalty": sparsity_penalty,
        "seed": seed,
    }
    if lines not in LINES:
        raise_invalid("lines", f"one of {LINES}", lines)
    if lines == "both":
        _none_of(
            "none beside lines='both'",
            half_plane=half_plane or None,
            groups=groups,
            sparsity_penalty=sparsity_penalty,
        )
        return _both(image, acceleration, **options), []

    index = None
    sparsity = None
    if isinstance(acceleration, tuple | list):
        _none_of(
            "none beside several accelerations, which share one mask",
            groups=groups,
        )
        rising = all(a < b for a, b in zip(acceleration, acceleration[1:]))
        if len(acceleration) < 2 or not rising:
            raise_invalid("acceleration", "rising numbers", acceleration)
        sparsity = tuple(_sparsity(value) for value in acceleration)
        index = keras.Input((), dtype="int32", name="acceleration_index")
    elif sparsity_penalty is None:
        sparsity = _sparsity(acceleration)
    if groups is not None:
        if not is_integer(groups) or groups < 2:
            raise_invalid("groups", "`None` or an integer ≥ 2", groups)
        index = keras.Input((), dtype="int32", name="group")
    if calibration == "auto":
        options["calibration"] = _automatic(image, sparsity, lines)
    mask_tensor = _learned(
        image, sparsity, lines, half_plane, groups, index, **options
    )
    if half_plane:
        mask_tensor = layers.ConjugateFill(name="filled_mask")(mask_tensor)
    return mask_tensor, [] if index is None else [index]


def _learned(
    image,
    sparsity,
    lines,
    half_plane,
    groups,
    index,
    calibration,
    estimator,
    slope,
    prob_slope,
    binarization,
    sparsity_penalty,
    seed,
    suffix="",
):
    """A learned mask, from its logits on."""
    prob = layers.ProbMask(
        slope=prob_slope,
        lines=lines,
        groups=groups,
        seed=seed,
        name=f"prob_mask{suffix}",
    )(image)
    if sparsity_penalty is None:
        prob = layers.RescaleProbMap(
            sparsity,
            calibration=calibration,
            half_plane=half_plane,
            name=f"prob_mask_scaled{suffix}",
        )(prob)
    else:
        prob = keras.layers.ActivityRegularization(
            # Keras itself divides by the number of groups, the first axis.
            l1=sparsity_penalty / (prob.shape[1] * prob.shape[2]),
            dtype="float32",
            name="sparsity_penalty",
        )(prob)
    return layers.ThresholdRandomMask(
        slope=slope,
        sparsity=sparsity,
        calibration=calibration,
        half_plane=half_plane,
        estimator=estimator,
        binarization=binarization,
        # Another seed than the logits have, whose first numbers are the same.
        seed=None if seed is None else seed + 1,
        name=f"sampled_mask{suffix}",
    )([prob, image] if index is None else [prob, image, index])


def _both(image, acceleration, calibration, seed, **options):
    """Two learned masks of lines, and where they meet."""
    sizes = tuple(image.shape[-3:-1])
    if isinstance(acceleration, tuple | list):
        if len(acceleration) != 2:
            raise_invalid(
                "acceleration",
                "R, or a pair (R_rows, R_columns) for lines='both'",
                acceleration,
            )
        sparsities = [_sparsity(value) for value in acceleration]
        asked = sparsities[0] * sparsities[1]
    else:
        sparsities = None
        asked = _sparsity(acceleration)
    if calibration == "auto":
        calibration = _automatic(image, asked)
    calibration = standardize_calibration(calibration)
    if not isinstance(calibration, tuple):
        calibration = (calibration, calibration)
    if sparsities is None:
        least = [max(c or 0, 1) for c in calibration]
        sparsities = _split(sizes, asked, least)
    parts = [
        _learned(
            image,
            sparsities[axis],
            lines,
            half_plane=False,
            groups=None,
            index=None,
            calibration=calibration[axis],
            # The logits of each other, too.
            seed=None if seed is None else seed + 2 * axis,
            suffix=f"_{lines}",
            **options,
        )
        for axis, lines in enumerate(("rows", "columns"))
    ]
    return layers.OuterMask(
        asked,
        None if calibration == (None, None) else calibration,
        name="sampled_mask",
    )(parts)


def _automatic(image, sparsity, lines=None):
    """The calibration region that a learned mask has by default.

    The one of fastMRI. Nested masks have that of the smallest. None without a
    sparsity, or where the matrix or the budget is too small for any.
    """
    if sparsity is None:
        return None
    smallest = sparsity[-1] if isinstance(sparsity, tuple) else sparsity
    sizes = tuple(image.shape[-3:-1])
    return default_calibration(sizes, 1 / smallest, lines) or None


def _split(sizes, sparsity, least):
    """Shares of rows and columns whose product is nearest to the sparsity.

    The accelerations of both differ by no more than a factor of 2, where that
    is possible; of equal products the most even pair is taken.
    """
    height, width = sizes
    rows, columns = np.meshgrid(
        np.arange(least[0], height), np.arange(least[1], width), indexing="ij"
    )
    if not rows.size:
        raise_invalid("calibration", f"fewer lines than {sizes}", tuple(least))
    uneven = np.abs(np.log2(rows / height) - np.log2(columns / width))
    away = np.abs(rows * columns - sparsity * height * width)
    order = np.lexsort((uneven.ravel(), away.ravel(), uneven.ravel() > 1))
    best = np.unravel_index(order[0], rows.shape)
    return [float(rows[best] / height), float(columns[best] / width)]


def _sparsity(acceleration):
    if not (
        isinstance(acceleration, int | float | np.number)
        and 1 < acceleration < float("inf")
    ):
        raise_invalid("acceleration", "a number R > 1", acceleration)
    return 1 / float(acceleration)


def _none_of(expected, **arguments):
    for name, value in arguments.items():
        if value is not None:
            raise_invalid(name, expected, value)


def _only_one(**arguments):
    given = [key for key, value in arguments.items() if value is not None]
    if len(given) > 1:
        raise_invalid(given[0], f"no `{given[1]}` beside it", f"both {given}")


def raise_invalid(argument, expected, received):
    """Say which argument is wrong, and how."""
    raise ValueError(
        f"Invalid value for argument `{argument}`. Expected {expected}. "
        f"Received: {received!r}"
    )
