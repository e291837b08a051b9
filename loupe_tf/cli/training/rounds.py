"""Training in two rounds, and its results."""

import dataclasses

import tqdm

from loupe_tf import callbacks, evaluation, masks
from loupe_tf.callbacks.slope_schedule import constant
from loupe_tf.callbacks.slopes import slope_layers, slope_value
from loupe_tf.cli.training import classical
from loupe_tf.cli.training.networks import NETWORKS
from loupe_tf.cli.training.rivals import CENTRAL
from loupe_tf.cli.training.scans import image_shape, of_training, rebuild
from loupe_tf.models import loupe_model

# The name of its result.
ZERO_FILLED = "learned, zero-filled"


class Progress:
    """One bar over all epochs of both rounds."""

    def __init__(self, name, epochs, quiet):
        self.bar = tqdm.tqdm(
            total=epochs, desc=name, unit="epoch", disable=quiet
        )

    def on_epoch_end(self, epoch, logs=None):
        shown = {"val_psnr": f"{logs['val_psnr']:.2f} dB"}
        if "slope" in logs:
            shown["slope"] = f"{logs['slope']:.4g}"
        self.bar.set_postfix(shown, refresh=False)  # Drawn once an epoch.
        self.bar.update(epoch + 1 - self.bar.n)

    def callback(self):
        import keras

        return keras.callbacks.LambdaCallback(on_epoch_end=self.on_epoch_end)


def train(options, model, data, scans, out):
    """Train one model in two rounds.

    Args:
        options: `argparse.Namespace` of `loupe-tf train`.
        model: What `build_model` returns.
        data: Dict of `loupe_tf.datasets.Slices`, whose images are the targets.
        scans: Dict, the measurements that `simulate` returns.
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
            of_training(scans, data, "train"),
            validation_data=of_training(scans, data, "validation"),
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
        # No epoch has moved the bar of a run that was complete.
        progress.bar.update(max(0, len(history.epoch) - progress.bar.n))
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
        outputs: Dict by the same names of reconstructed test images, of those
            that the page shows.
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


def judge(options, models, trained, data, scans):
    """Judge both models on the test volumes, other methods beside them.

    Each mask is tried with zero filling and by total variation or, if there are
    coils, by CG-SENSE. So are the central lines or points.

    Args:
        options: `argparse.Namespace` of `loupe-tf train`.
        models: The learned and the fixed one.
        trained: What `train` returns of each.
        data: Dict of `loupe_tf.datasets.Slices`, whose images are the truth.
        scans: Dict, the measurements that `simulate` returns.

    Returns:
        An `Outcome`.
    """
    test = data["test"]
    results, outputs, histories = {}, {}, {}
    shape = image_shape(scans, options)
    title = NETWORKS[options.network].title

    def add(name, kind, mask, model, **others):
        output = rebuild(model, scans["test"], options.batch_size)
        if f"{name}, {kind}" == ZERO_FILLED or kind == title:
            outputs[f"{name}, {kind}"] = output
        results[f"{name}, {kind}"] = {
            "volumes": evaluation.per_volume(test.images, output, test.volumes),
            "achieved_acceleration": mask.achieved_acceleration,
            "slope": mask.slope,
            "epochs": 0,
            "seconds": 0.0,
            **others,
        }

    def add_untrained(name, mask):
        adjoint = loupe_model(
            shape, mask=mask, coils=options.coils, reconstructor="zero_filled"
        )
        # It is used once. TensorFlow warns where many functions are traced.
        adjoint.compile(run_eagerly=True)
        add(name, "zero-filled", mask, adjoint)
        method, regularization = classical.choose(
            shape, mask, options.coils, of_training(scans, data, "validation")
        )
        kind = classical.title_of_classical(options.coils)
        add(name, kind, mask, method, regularization=regularization)

    for model, (history, seconds) in zip(models, trained, strict=True):
        mask = masks.from_model(model)
        name = "learned" if model.name == "learned" else options.baseline
        add_untrained(name, mask)
        spent = {"epochs": len(history.epoch), "seconds": seconds}
        add(name, title, mask, model, **spent)
        histories[model.name] = history.history
    pattern = CENTRAL["lines" if options.lines else "points"]
    if pattern != options.baseline:
        add_untrained(pattern, central(options, shape))
    return Outcome(results, outputs, histories)
