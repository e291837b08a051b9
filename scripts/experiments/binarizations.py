"""What a trained model is worth with each kind of mask."""

import numpy as np

import loupe_tf
from loupe_tf import masks
from loupe_tf.evaluation import per_volume

BINARIZATIONS = ("relaxed", "sampled", "threshold", "exact")
REALIZATIONS = 1000


def judge(model, part, batch_size):
    """What a record says of a trained model, with each kind of mask.

    Args:
        model: A `loupe_model` with a learned mask of points.
        part: `loupe_tf.datasets.Slices`.
        batch_size: Integer.

    Returns:
        A pair. A dict that JSON can store: `"slope_found"`, `"binarizations"`,
        what `judge_binarizations` says, and of a mask that is finite the share
        of probabilities that are `"near_binary"`, within 0.05 of 0 or 1, and
        the `"histogram"` of the average of 1,000 realizations. And a dict of
        arrays `(H, W)`: the `"probability"` and this `"average"`; empty of a
        mask that is not finite.
    """
    import keras

    slope = model.get_layer("sampled_mask").slope
    slope = float(keras.ops.convert_to_numpy(slope))
    probability = masks.probability_from_model(model)
    if not np.isfinite(probability).all():
        return {"slope_found": slope, "binarizations": {}}, {}
    binarizations = judge_binarizations(model, part, batch_size)
    average = average_realization(model, REALIZATIONS)
    near_binary = (probability < 0.05) | (probability > 0.95)
    histogram, _ = np.histogram(average, bins=50, range=(0, 1))
    return {
        "slope_found": slope,
        "binarizations": binarizations,
        "near_binary": float(near_binary.mean()),
        "histogram": histogram.tolist(),
    }, {"probability": probability, "average": average}


def judge_binarizations(model, part, batch_size):
    """The test volumes, rebuilt from a mask of each kind.

    Args:
        model, part, batch_size: As above.

    Returns:
        Dict by kind of dicts: `"achieved_acceleration"`, of the masks that were
        drawn (`None` if they acquire nothing), and `"volumes"`, what
        `loupe_tf.evaluation.per_volume` says. Kinds whose images are not finite
        are left out.
    """
    import keras

    found = {}
    for kind in BINARIZATIONS:
        other = loupe_tf.models.with_binarization(model, kind)
        output, drawn = keras.Model(
            other.inputs,
            [other.output, other.get_layer("sampled_mask").output],
        ).predict(part.images, batch_size, verbose=0)
        if np.isfinite(output).all():
            share = float(drawn.mean())
            found[kind] = {
                "achieved_acceleration": 1 / share if share else None,
                "volumes": per_volume(part.images, output, part.volumes),
            }
    return found


def average_realization(model, realizations, batch=50):
    """Mean of masks as training draws them.

    Args:
        model: As above.
        realizations: Integer, how many masks; a multiple of `batch`.
        batch: Integer, how many are drawn at once.

    Returns:
        Array `(H, W)` in [0, 1], DC in the centre.
    """
    import keras

    sampler = model.get_layer("sampled_mask")
    probability = masks.probability_from_model(model)
    prob = probability[None, :, :, None].astype("float32")
    reference = np.zeros((batch, 1, 1, 1), "float32")
    total = 0.0
    for _ in range(realizations // batch):
        drawn = sampler([prob, reference], training=True)
        total += keras.ops.convert_to_numpy(drawn).sum(axis=0)[..., 0]
    return np.clip(total / realizations, 0, 1)
