"""The sampler of `loupe_model`: which entries of k-space are acquired."""

import keras
import numpy as np

from loupe_tf import layers

# Where each estimator learns well: the slope multiplies P - U for the first
# two, and logits for the others.
SLOPES = {
    "relaxed": 200.0,
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
        image: Keras tensor `(batch, H, W, C)`, the input of the model.

    Returns:
        A pair: the mask, a Keras tensor `(1 or batch, H or 1, W or 1, 1)`,
        centred; and a list of the inputs it needs beside the image.
    """
    if mask_input or mask is not None:
        _learns_nothing(lines, calibration, estimator, slope, sparsity_penalty)
    if mask_input:
        _only_one(mask_input=True, acceleration=acceleration, mask=mask)
        mask_tensor = keras.Input((*image.shape[1:3], 1), name="mask_input")
        return mask_tensor, [mask_tensor]
    if mask is not None:
        _only_one(mask=mask, acceleration=acceleration)
        return layers.FixedMask(mask, name="sampled_mask")(image), []

    _only_one(acceleration=acceleration, sparsity_penalty=sparsity_penalty)
    if sparsity_penalty is None and not (
        isinstance(acceleration, int | float | np.number)
        and 1 < acceleration < float("inf")
    ):
        raise_invalid("acceleration", "a number R > 1", acceleration)
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
    mask_tensor = layers.ThresholdRandomMask(
        slope=SLOPES.get(estimator, 1.0) if slope is None else slope,
        sparsity=sparsity,
        calibration=calibration,
        estimator=estimator,
        binarization=binarization,
        # Another seed than the logits have, whose first numbers are the same.
        seed=None if seed is None else seed + 1,
        name="sampled_mask",
    )([prob, image])
    return mask_tensor, []


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
            raise_invalid(
                name, "none where the mask is given, not learned", value
            )


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
