"""Training on k-space, without images, and testing with full matrices."""

import numpy as np

import loupe_tf
from loupe_tf import evaluation, simulation


def scan(part, seed):
    """Simulate full scans with one coil and a smooth phase.

    Args:
        part: `loupe_tf.datasets.Slices`.
        seed: Integer, seed of the phases.

    Returns:
        Float32 array `(n, 1, H, W, 2)`.
    """
    uniform = np.ones((1, *part.images.shape[1:3]), complex)
    return simulation.simulate_kspace(part.images, uniform, seed=seed)[0]


def make_network(settings, size, seed):
    """Make the reconstructor of all methods: a MoDL of few iterations.

    Args:
        settings: Dict with the `iterations`, and the `filters` and `depth` of
            the network in each.
        size: Tuple `(H, W)`.
        seed: Integer, of the initial weights.
    """
    import keras

    keras.utils.set_random_seed(seed)
    network = loupe_tf.models.cnn(
        (*size, 2),
        2,
        filters=settings["filters"],
        depth=settings["depth"],
        normalization=None,
    )
    return loupe_tf.models.MoDL(
        network,
        iterations=settings["iterations"],
        shared=False,
        # With one coil, conjugate gradients are exact after two steps.
        solver_iterations=2,
    )


def fit(regime, measured, run, settings, callbacks=()):
    """Train for a fixed number of epochs; nothing is selected.

    Args:
        regime: A `loupe_tf.regimes.Regime`.
        measured: List of its inputs.
        run: The run, with a `seed`.
        settings: Dict with `learning_rate`, `epochs` and `batch_size`.
        callbacks: Further callbacks.

    Returns:
        A pair: the history, and whether all losses in it are finite.
    """
    import keras

    first, epochs = settings["learning_rate"], settings["epochs"]
    keras.utils.set_random_seed(run.seed)
    regime.compile(keras.optimizers.Adam(first))
    falling = keras.callbacks.LearningRateScheduler(
        lambda epoch: first if epoch < 0.8 * epochs else first / 10
    )
    history = regime.fit(
        measured,
        epochs=epochs,
        batch_size=settings["batch_size"],
        callbacks=[falling, keras.callbacks.TerminateOnNaN(), *callbacks],
        verbose=0,
    ).history
    return history, bool(np.isfinite(history["loss"]).all())


def rebuild(reconstructor, mask, part, settings):
    """Measure test images with a mask, and rebuild them.

    Args:
        reconstructor: Keras layer or model of `[kspace, mask]`.
        mask: `SamplingMask` of points.
        part: `loupe_tf.datasets.Slices`.
        settings: Dict with the `batch_size`.

    Returns:
        A pair of complex arrays `(n, H, W)`, the true images with their
        phase and the reconstructions.
    """
    from keras import ops

    kspace = scan(part, seed=2)
    acquired = mask.array[None, ..., None].astype("float32")
    size = settings["batch_size"]
    outputs = [
        ops.convert_to_numpy(
            reconstructor(
                [
                    np.where(acquired, each, 0).astype("float32"),
                    np.repeat(acquired, len(each), axis=0),
                ]
            )
        )
        for each in np.split(kspace, range(size, len(kspace), size))
    ]
    to_complex = np.array([1, 1j])
    true = loupe_tf.numpy_fourier.ifft2c(kspace[:, 0] @ to_complex)
    return true, np.concatenate(outputs) @ to_complex


def judge(part, output):
    """Compute the metrics of each volume, of magnitudes.

    Args:
        part: `loupe_tf.datasets.Slices`.
        output: Complex reconstructions `(n, H, W)`.
    """
    magnitude = np.abs(output)[..., None].astype("float32")
    return evaluation.judge_images(part.images, magnitude, part.volumes)


def error_by_annulus(true, output, number):
    """Compute the relative error in k-space by the distance from DC.

    Args:
        true, output: Complex arrays `(n, H, W)`.
        number: Integer, of annuli of equal width, up to the border of
            k-space; what is in its corners is left out.

    Returns:
        List of floats, `‖F x̂ - F x‖ / ‖F x‖` in each annulus.
    """
    transform = loupe_tf.numpy_fourier.fft2c
    distance = np.hypot(
        *np.meshgrid(
            *((np.arange(n) - n // 2) / (n / 2) for n in true.shape[1:]),
            indexing="ij",
        )
    )
    index = np.floor(distance * number)
    squares = [
        np.sum(np.abs(transform(each)) ** 2, axis=0)
        for each in (output - true, true)
    ]
    return [
        float(np.sqrt(np.divide(*(each[index == i].sum() for each in squares))))
        for i in range(number)
    ]
