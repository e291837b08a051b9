"""Methods that rebuild images from exact samples along curves."""

import numpy as np

import loupe_tf
from experiments.curve_scan import measure, with_phase
from loupe_tf import evaluation, reconstruction

CLASSICAL = {
    "adjoint": lambda _: reconstruction.CompensatedAdjoint(),
    "cg": reconstruction.CgSense,
    "total_variation": reconstruction.CurveTotalVariation,
}
"""Methods without a network, of a regularization."""


def classical(name, regularization=0.0):
    """Make a method of `CLASSICAL`."""
    return CLASSICAL[name](regularization)


def rebuild_classically(method, images, trajectory, maps=None):
    """Measure images exactly and rebuild them without a network.

    Args:
        method: `loupe_tf.reconstruction.CurveReconstructor`.
        images: Array `(n, H, W, 2)`.
        trajectory: `Trajectory` with the matrix `(H, W)`.
        maps: (Optional) complex array `(coils, H, W)`.

    Returns:
        Magnitudes `(n, H, W, 1)`.
    """
    apply = method.prepare(trajectory)
    samples = measure(images, trajectory, maps)
    found = [apply(each, maps) for each in samples]
    return np.abs(np.stack(found))[..., None]


def rebuild(model, images, trajectory, batch_size, maps=None):
    """Measure images exactly and rebuild them with a trained network.

    Args:
        model: `loupe_tf.models.Loupe` of curves.
        images, trajectory, maps: As for `rebuild_classically`.
        batch_size: Integer.

    Returns:
        Magnitudes `(n, H, W, 1)`.
    """
    import keras

    others = [trajectory.positions[None].astype("float32")]
    if maps is not None:
        others.append(np.stack([maps.real, maps.imag], -1)[None])
    samples = measure(images, trajectory, maps)
    samples = np.stack([samples.real, samples.imag], -1)
    parts = np.split(samples, range(batch_size, len(samples), batch_size))
    found = [
        keras.ops.convert_to_numpy(
            model.reconstructor([part, *others], training=False)
        )
        for part in parts
    ]
    return evaluation.magnitude(np.concatenate(found))


def choose(name, trajectory, validation, settings, maps=None):
    """Choose the regularization with the highest PSNR on validation slices.

    Args:
        name: String, a key of `CLASSICAL`.
        trajectory: `Trajectory`.
        validation: `loupe_tf.datasets.Slices`.
        settings: Dict with `regularizations` and `tuning_slices`.
        maps: (Optional) complex array `(coils, H, W)`.

    Returns:
        A dict with `"regularization"`; empty for the adjoint, which has none.
    """
    if name == "adjoint":
        return {}

    def error(value):
        return validation_error(
            classical(name, value), trajectory, validation, settings, maps
        )

    return {"regularization": min(settings["regularizations"], key=error)}


def validation_error(method, trajectory, validation, settings, maps=None):
    """Mean squared error of magnitudes on `tuning_slices` central slices."""
    shown = evaluation.central_slices(
        validation.volumes, settings["tuning_slices"]
    )
    images = with_phase(validation.images, 1)[shown]
    found = rebuild_classically(method, images, trajectory, maps)
    return float(np.square(found - evaluation.magnitude(images)).mean())


def make_ncpdnet(
    settings, size, trajectory=None, density_compensation=True, accuracy=1e-3
):
    """Make an NC-PDNet of the size of an experiment.

    Args:
        settings: Dict with `buffers`, `unrolled_filters` and `iterations`.
        size, trajectory, density_compensation, accuracy: As for
            `loupe_tf.models.NCPDNet`.
    """
    buffers = settings["buffers"]
    cnn = loupe_tf.models.cnn(
        (*size, 2 * buffers + 2),
        output_channels=2 * buffers,
        depth=3,
        filters=settings["unrolled_filters"],
        normalization=None,
    )
    return loupe_tf.models.NCPDNet(
        size,
        cnn,
        iterations=settings["iterations"],
        buffers=buffers,
        density_compensation=density_compensation,
        trajectory=trajectory,
        accuracy=accuracy,
    )
