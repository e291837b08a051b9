"""CG-SENSE, which uses the maps of the coils and learns nothing."""

import keras
import numpy as np

from loupe_tf import metrics
from loupe_tf.evaluation import REGULARIZATIONS
from loupe_tf.evaluation.tuning import spread_slices
from loupe_tf.models import loupe_model
from loupe_tf.operators import Cartesian, conjugate_gradient

TITLE = "CG-SENSE"
ITERATIONS = 30


class CgSense(keras.layers.Layer):
    """SENSE by conjugate gradients, a reconstructor without weights.

    It is `loupe_tf.reconstruction.Sense` for whole batches, and needs no
    SigPy: `argmin over x of ‖M F S x - y‖² + λ ‖x‖²`.

    Args:
        regularization: Float λ of at least 0.
    """

    def __init__(self, regularization, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.regularization = regularization

    def call(self, inputs):
        kspace, *measured_by = inputs
        scan = Cartesian(*measured_by)
        return conjugate_gradient(
            lambda x: scan.normal(x) + self.regularization * x,
            scan.adjoint(kspace),
            iterations=ITERATIONS,
        )


def build(shape, mask, coils, regularization):
    """Build a model that rebuilds the scans of a mask.

    Args:
        shape: Tuple `(H, W, 1)`.
        mask: `SamplingMask`.
        coils: Integer.
        regularization: Float, as for `CgSense`.
    """
    model = loupe_model(
        shape, mask=mask, coils=coils, reconstructor=CgSense(regularization)
    )
    # Without a graph, which would keep the λ that it was made with. TensorFlow
    # also warns where many functions are traced.
    model.compile(run_eagerly=True)
    return model


def choose(shape, mask, coils, validation):
    """Build the model with the λ that is best on slices of the validation.

    The values and the slices are those of `loupe_tf.evaluation.tune`.

    Args:
        shape, mask, coils: As for `build`.
        validation: `CoilBatches`.

    Returns:
        A pair: the model and λ.
    """
    inputs, truth = scans_of(validation, spread_slices(validation.x))
    model = build(shape, mask, coils, REGULARIZATIONS[0])
    scores = {}
    for regularization in REGULARIZATIONS:
        model.reconstructor.regularization = regularization
        output = model.predict_on_batch(inputs)
        psnr = keras.ops.convert_to_numpy(metrics.psnr(truth, output))
        scores[regularization] = float(np.mean(psnr))
    best = max(scores, key=scores.get)
    model.reconstructor.regularization = best
    return model, best


def scans_of(batches, images):
    """Return the scans of some images, and the truth, from shuffled batches.

    Args:
        batches: `CoilBatches`.
        images: List of indices.

    Returns:
        A pair: the list of k-space and maps, and the true images.
    """
    found = []
    for index in range(len(batches)):
        chosen = np.isin(batches.rows(index), images)
        if chosen.any():
            inputs, truth = batches[index]
            found.append([part[chosen] for part in (*inputs, truth)])
    *inputs, truth = map(np.concatenate, zip(*found, strict=True))
    return inputs, truth
