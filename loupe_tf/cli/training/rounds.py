"""Training in two rounds, and its results."""

import dataclasses

import tqdm

from loupe_tf import callbacks, evaluation, masks
from loupe_tf.callbacks.slope_schedule import constant
from loupe_tf.callbacks.slopes import slope_layers, slope_value
from loupe_tf.cli.training.options import CENTRAL, NETWORKS
from loupe_tf.models import loupe_model
from loupe_tf.reconstruction import ZeroFilled


class Progress:
    """One bar over all epochs of both rounds."""

    def __init__(self, name, epochs, quiet):
        self.bar = tqdm.tqdm(
            total=epochs, desc=name, unit="epoch", disable=quiet
        )

    def on_epoch_end(self, epoch, logs=None):
        self.bar.update(epoch + 1 - self.bar.n)
        shown = {"val_psnr": f"{logs['val_psnr']:.2f} dB"}
        if "slope" in logs:
            shown["slope"] = f"{logs['slope']:.4g}"
        self.bar.set_postfix(shown)

    def callback(self):
        import keras

        return keras.callbacks.LambdaCallback(on_epoch_end=self.on_epoch_end)


def train(options, model, data, inputs, out):
    """Train one model in two rounds.

    Args:
        options: `argparse.Namespace` of `loupe-tf train`.
        model: What `build_model` returns.
        data: Dict of `loupe_tf.datasets.Slices`, whose images are the targets.
        inputs: Dict of arrays, the same images as the model gets them.
        out: `RunFolder`, where a stopped run goes on from.

    Returns:
        A pair: the history, and the seconds it took.
    """
    progress = Progress(
        f"{model.name} mask", sum(options.epochs), quiet=not out.writes
    )
    with progress.bar, out.stopwatch(model.name) as seconds:
        history = callbacks.fit_two_rounds(
            model,
            (inputs["train"], data["train"].images),
            validation_data=(inputs["validation"], data["validation"].images),
            epochs=options.epochs,
            batch_size=options.batch_size,
            slope_callback=slope_callback(options, model),
            stop_patience=options.stop_patience,
            lr_patience=options.lr_patience,
            directory=out / f"backup_{model.name}",
            callbacks=[progress.callback()],
            seed=options.seed,
            verbose=0,
        )
    return history, seconds()


def slope_callback(options, model):
    """What raises the slope of a model, or `False` if it has none."""
    if model.name != "learned":
        return False
    if options.factor == 1:  # 4S refuses it. The slope is in the history too.
        (layer,) = slope_layers(model)
        return callbacks.SlopeSchedule(constant(slope_value(layer)))
    return callbacks.SelfShrinkingSigmoidSlope(
        patience=options.patience,
        factor=options.factor,
        cooldown=options.cooldown,
    )


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The results of both trainings.

    Attributes:
        results: Dict by mask and reconstruction of dicts: metrics of each test
            volume, achieved R, slope, epochs and seconds.
        outputs: Dict by the same names of reconstructed test images.
        histories: Dict by the names of the models.
    """

    results: dict
    outputs: dict
    histories: dict


def central(options, shape):
    """As many lines or points as the learned mask has, all around DC."""
    arguments = shape[:2], options.acceleration, options.calibration
    if options.lines:
        return masks.central_lines(*arguments, options.lines)
    return masks.central_points(*arguments)


def judge(options, models, trained, test, inputs):
    """Judge both models on the test volumes, zero filling beside them.

    The central lines or points, zero-filled, stand beside them.

    Args:
        options: `argparse.Namespace` of `loupe-tf train`.
        models: The learned and the fixed one.
        trained: What `train` returns of each.
        test: `loupe_tf.datasets.Slices`, whose images are the truth.
        inputs: Array, the same images as the models get them.

    Returns:
        An `Outcome`.
    """
    results, outputs, histories = {}, {}, {}
    network_name = NETWORKS[options.network][0]
    shape = inputs.shape[1:]
    for model, (history, seconds) in zip(models, trained, strict=True):
        mask = masks.from_model(model)
        adjoint = loupe_model(shape, mask=mask, reconstructor="zero_filled")
        # It is used once. TensorFlow warns where many functions are traced.
        adjoint.compile(run_eagerly=True)
        name = "learned" if model.name == "learned" else options.baseline
        for kind, network in (("zero-filled", adjoint), (network_name, model)):
            output = network.predict(inputs, options.batch_size, verbose=0)
            outputs[f"{name}, {kind}"] = output
            results[f"{name}, {kind}"] = {
                "volumes": evaluation.per_volume(
                    test.images, output, test.volumes
                ),
                "achieved_acceleration": mask.achieved_acceleration,
                "slope": mask.slope,
                "epochs": len(history.epoch) if network is model else 0,
                "seconds": seconds if network is model else 0.0,
            }
        histories[model.name] = history.history
    mask = central(options, shape)
    output = evaluation.reconstruct(ZeroFilled(), mask, inputs)
    pattern = CENTRAL["lines" if options.lines else "points"]
    results[f"{pattern}, zero-filled"] = {
        "volumes": evaluation.per_volume(test.images, output, test.volumes),
        "achieved_acceleration": mask.achieved_acceleration,
        "slope": None,
        "epochs": 0,
        "seconds": 0.0,
    }
    return Outcome(results, outputs, histories)
