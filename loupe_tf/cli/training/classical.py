"""The reconstruction that learns nothing: CG-SENSE, or total variation."""

import keras
import numpy as np
from keras import ops

from loupe_tf import fourier, metrics
from loupe_tf.evaluation import REGULARIZATIONS
from loupe_tf.evaluation.tuning import spread_slices
from loupe_tf.models import loupe_model
from loupe_tf.operators import Cartesian, conjugate_gradient

CG_SENSE, TOTAL_VARIATION = "CG-SENSE", "total variation"
ITERATIONS = {CG_SENSE: 30, TOTAL_VARIATION: 100}


def title_of_classical(coils):
    """The name of the method in tables.

    Args:
        coils: Integer, or `None` for one uniform coil.
    """
    return TOTAL_VARIATION if coils is None else CG_SENSE


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
            iterations=ITERATIONS[CG_SENSE],
        )


class TotalVariation(keras.layers.Layer):
    """Compressed sensing of one coil, a reconstructor without weights.

    It is `loupe_tf.reconstruction.TotalVariation` for whole batches, and needs
    no SigPy: `argmin over x of ½ ‖M F x - y‖² + λ (‖∂ᵥ x‖₁ + ‖∂ₕ x‖₁)`, where
    λ is relative to the largest magnitude of the zero-filled image. Both
    differences are cyclic, so the alternating direction method of multipliers
    (ADMM) solves for the image in k-space.

    Args:
        regularization: Float λ above 0.
    """

    def __init__(self, regularization, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.regularization = regularization

    def call(self, inputs):
        kspace, mask = inputs
        kspace = kspace[:, 0]
        filled = fourier.ifft2c(kspace)
        scale = ops.max(_magnitude(filled), axis=(1, 2, 3), keepdims=True)
        measured = kspace / ops.maximum(scale, 1e-12)
        # Edges that are as large as the threshold, a 20th of the largest
        # pixel, are found in the fewest iterations.
        threshold = 0.05
        weight = self.regularization / threshold
        height, width = kspace.shape[1:3]
        power = _power(height)[:, None] + _power(width)[None, :]
        # DC need not be acquired, and has no differences.
        power = np.maximum(weight * power, 1e-9)[None, ..., None]
        edges = dual = ops.zeros((2, *ops.shape(measured)))
        for _ in range(ITERATIONS[TOTAL_VARIATION]):
            pull = fourier.fft2c(_adjoint_differences(edges - dual))
            spectrum = (measured + weight * pull) / (mask + power)
            image = fourier.ifft2c(spectrum)
            moved = _differences(image) + dual
            size = ops.maximum(_magnitude(moved), threshold)
            edges = moved * (1 - threshold / size)
            dual = moved - edges
        return scale * image


def _magnitude(x):
    return ops.sqrt(ops.sum(ops.square(x), axis=-1, keepdims=True))


def _differences(x):
    """Cyclic differences of `(batch, H, W, 2)` along H and W, stacked."""
    return ops.stack([ops.roll(x, -1, axis) - x for axis in (1, 2)])


def _adjoint_differences(x):
    """The adjoint of `_differences`."""
    return sum(ops.roll(x[i], 1, i + 1) - x[i] for i in range(2))


def _power(size):
    """The power of a cyclic difference at each frequency, DC in the centre."""
    frequencies = (np.arange(size) - size // 2) / size
    return (2 - 2 * np.cos(2 * np.pi * frequencies)).astype("float32")


def build(shape, mask, coils, regularization):
    """Build a model that rebuilds the scans of a mask.

    Args:
        shape: Tuple `(H, W, 1)`, or `(H, W, 2)` of one coil.
        mask: `SamplingMask`.
        coils: Integer, or `None` for one uniform coil.
        regularization: Float λ of the method.
    """
    method = TotalVariation if coils is None else CgSense
    model = loupe_model(
        shape,
        mask=mask,
        coils=coils,
        reconstructor=method(regularization),
        magnitude=True,
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
        validation: `CoilBatches`; for one coil a pair of scans and images.

    Returns:
        A pair: the model and λ.
    """
    if coils is None:
        inputs, truth = validation
        chosen = spread_slices(truth)
        inputs, truth = inputs[chosen], truth[chosen]
    else:
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
