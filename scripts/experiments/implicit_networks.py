"""Implicit and unrolled networks of one step, and how far they are iterated."""

import numpy as np

import loupe_tf
from loupe_tf import evaluation, masks

NETWORKS = ("contracting", "free")
"""Networks of a step: a bounded one, and a CNN that may drive images apart."""

TOLERANCE = 1e-6
"""Tolerance of a search in a test: the number of iterations decides."""


def build_network(kind, filters, settings):
    """Make the network of one step, from an image to an image.

    A network that returns zero or its input at first would leave an equilibrium
    undetermined where nothing was measured.

    Args:
        kind: String, of `NETWORKS`.
        filters: Integer.
        settings: Dict with `depth`, and `norm` of a contracting network.
    """
    depth = settings["depth"]
    if kind == "free":
        return loupe_tf.models.cnn(
            *((None, None, 2), 2, depth, filters),
            normalization=None,
            output_initializer="glorot_uniform",
        )
    return loupe_tf.models.contracting_cnn(
        (None, None, 2), settings["norm"], depth, filters
    )


def build_model(run, kind, gradient, settings, image_shape):
    """Build and compile a model of one coil with a given mask.

    The step is that of MoDL.

    Args:
        run: The run, with `filters`, a `seed`, and `iterations`: the steps of
            an unrolled network, or the limit of the search.
        kind: String, of `NETWORKS`.
        gradient: String, the gradient of an equilibrium; `None` for an
            unrolled network.
        settings: Dict with `acceleration`, `tolerance` and `learning_rate`,
            and as for `build_network`.
        image_shape: Tuple `(H, W, 1)`.
    """
    import keras

    keras.utils.set_random_seed(run.seed)
    size, iterations = tuple(image_shape[:2]), run.iterations
    network = build_network(kind, run.filters, settings)
    # Without coils AᴴA is a projection: two conjugate gradients are exact.
    reconstructor = loupe_tf.models.MoDL(
        network, iterations, residual=False, solver_iterations=2
    )
    if gradient is not None:
        reconstructor = loupe_tf.models.DeepEquilibrium(
            reconstructor,
            loupe_tf.fixed_point.Broyden(settings["tolerance"], iterations),
            gradient,
        )
    zeros = np.zeros((1, *size, 1), "float32")
    mask = masks.fixed_mask("gaussian", zeros, settings["acceleration"], seed=0)
    model = loupe_tf.models.loupe_model(
        (*size, 1), mask=mask, reconstructor=reconstructor
    )
    model.compile(keras.optimizers.Adam(settings["learning_rate"]), loss="mse")
    return model


def is_implicit(model):
    """Return whether the model searches an equilibrium."""
    return isinstance(model.reconstructor, loupe_tf.models.DeepEquilibrium)


def with_iterations(model, iterations):
    """Return the model with another number of iterations, same weights."""
    if is_implicit(model):
        model.reconstructor.set_limits(
            tolerance=TOLERANCE, iterations=iterations
        )
        return model
    config = model.reconstructor.get_config()
    longer = loupe_tf.models.MoDL.from_config(
        {**config, "iterations": iterations}
    )
    other = loupe_tf.models.loupe_model(
        model.input_shape[1:],
        mask=masks.from_model(model),
        reconstructor=longer,
    )
    other.set_weights(model.get_weights())
    # To compile each length takes longer than the few images of the test.
    other.compile(run_eagerly=True)
    return other


def judge_with(model, counts, test, batch_size):
    """Test a trained model with several numbers of iterations.

    Args:
        model: The result of `build_model`, trained.
        counts: Numbers of iterations.
        test: `loupe_tf.datasets.Slices`.
        batch_size: Integer.

    Returns:
        Dict by number of the results of `loupe_tf.evaluation.judge_images`.
    """
    found = {}
    for count in counts:
        other = with_iterations(model, count)
        output = other.predict(test.images, batch_size, verbose=0)
        found[count] = evaluation.judge_images(
            test.images, output, test.volumes
        )
    return found


def count_parameters(model):
    """Return the number of weights that training changes."""
    return int(sum(np.prod(w.shape) for w in model.trainable_weights))
