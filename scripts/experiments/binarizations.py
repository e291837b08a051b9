"""Evaluate a trained model with each kind of mask."""

import numpy as np

import loupe_tf
from loupe_tf import masks
from loupe_tf.evaluation import per_volume

BINARIZATIONS = ("relaxed", "sampled", "threshold", "exact")
REALIZATIONS = 1000


def judge(model, part, batch_size):
    """Evaluate a trained model with each kind of mask, for a record.

    Args:
        model: A `loupe_model` with a learned mask of points.
        part: `loupe_tf.datasets.Slices`.
        batch_size: Integer.

    Returns:
        A pair. The first item is a dict that JSON can store, with
        `"slope_found"` and the result of `judge_binarizations` as
        `"binarizations"`. If the mask is finite, it also has `"near_binary"`,
        the share of probabilities within 0.05 of 0 or 1, and `"histogram"`,
        the histogram of the average of 1,000 realizations. The second item is a
        dict of arrays `(H, W)`, the `"probability"` and this `"average"`; it is
        empty if the mask is not finite.
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
    """Evaluate reconstructions of the test volumes with each kind of mask.

    Args:
        model, part, batch_size: As in `judge`.

    Returns:
        Dict by kind of dicts: `"achieved_acceleration"` of the drawn masks
        (`None` if they acquire nothing), and `"volumes"`, the result of
        `loupe_tf.evaluation.per_volume`. Kinds whose images are not finite are
        skipped.
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
    """Return the mean of masks drawn as in training.

    Args:
        model: As in `judge`.
        realizations: Integer, the number of masks; a multiple of `batch`.
        batch: Integer, the number of masks to draw at once.

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
