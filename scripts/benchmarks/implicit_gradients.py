"""How exact the gradients of an equilibrium are, and what they cost.

One equilibrium is trained for a short time by the exact gradient, on the first
fold of the patients. Then the gradient of the loss in all weights is taken by
each method on some slices of each volume that was not trained on, and compared
with the exact one, whose adjoint equation is solved to 1e-6: the relative
error, and the cosine of the angle between the two. The step is that of
`scripts/reproduce_shine.py`, which trains by each method; this script asks what
one step sees, and takes minutes.

    python scripts/benchmarks/implicit_gradients.py \\
        --data mri_volumes/flair64 --data-dir TFDS

The time of a gradient is that of a training step without that of a prediction,
the median over some steps, by the clock of the processor. Image quality is the
mean over the slices of a test volume for several numbers of iterations, with
the weights of the training. `shine_always` is SHINE without its fallback.
"""

import json
import pathlib
import sys
import types

import numpy as np

from loupe_tf import command_line

sys.path.append(str(pathlib.Path(__file__).parents[1]))
from experiments.step_times import times_of_a_batch  # noqa: E402

ALWAYS = "shine_always"  # Without falling back to the Jacobian-free gradient.
METHODS = (
    *("exact", "shine", ALWAYS, "shine_refined"),
    *("jacobian_free", "phantom"),
)
FOLDS = 5
TESTED = (2, 3, 5, 10, 20)
TOLERANCE = 1e-4  # For the search in training.


def build(images, options):
    """The model of reproduce_shine.py, and its mask."""
    from experiments import implicit_networks

    run = types.SimpleNamespace(
        filters=options.filters, iterations=options.iterations, seed=0
    )
    settings = {
        "depth": 3,
        "norm": options.norm,
        "tolerance": TOLERANCE,
        "acceleration": 4.0,
        "learning_rate": 3e-3,
    }
    return implicit_networks.build_model(
        run, "contracting", "exact", settings, images.shape[1:]
    )


def arrays(weights):
    """Copies of weights."""
    from keras import ops

    return [np.array(ops.convert_to_numpy(each)) for each in weights]


def gradient(model, images):
    """The gradient in all weights, from a step of length 1."""
    before = model.get_weights()
    trainable = arrays(model.trainable_weights)
    model.train_on_batch(images, images)
    moved = [
        old - new
        for old, new in zip(trainable, arrays(model.trainable_weights))
    ]
    # The estimates of the norms have moved too.
    model.set_weights(before)
    return np.concatenate([x.ravel() for x in moved]).astype("float64")


def compare(found, exact):
    """Relative error and cosine of a gradient."""
    sizes = np.linalg.norm(found), np.linalg.norm(exact)
    return {
        "error": float(np.linalg.norm(found - exact) / sizes[1]),
        "cosine": float(found @ exact / (sizes[0] * sizes[1])),
    }


def measure(model, batches, names):
    """Compare methods on batches by volume, and time them.

    Returns:
        A list of rows, one for each method and volume; time is on the first.
    """
    import keras

    from loupe_tf import fixed_point

    tight = fixed_point.Exact(fixed_point.Broyden(1e-6, 60))
    methods = {"reference": tight}
    methods |= {
        name: fixed_point.Shine(fallback=None)
        if name == ALWAYS
        else fixed_point.gradient_of(name)
        for name in names
    }
    rows, reference, start = [], {}, model.get_weights()
    for name, method in methods.items():
        model.reconstructor.gradient = method
        model.compile(keras.optimizers.SGD(1.0), loss="mse")
        for index, (volume, images) in enumerate(batches.items()):
            found = gradient(model, images)
            if name == "reference":
                reference[volume] = found
                continue
            row = {"method": name, "volume": volume}
            row |= compare(found, reference[volume])
            if not index:
                row |= times_of_a_batch(model, images)
                model.set_weights(start)
            rows.append(row)
            print(json.dumps(row), file=sys.stderr, flush=True)
    return rows


def qualities(model, test):
    """PSNR by the number of iterations in the test."""
    from experiments import implicit_networks

    judged = implicit_networks.judge_with(model, TESTED, test, 8)
    return {
        str(count): float(
            np.mean([v["psnr"] for v in x["unit_range"].values()])
        )
        for count, x in judged.items()
    }


def table(rows):
    """A line for each method: means over volumes, and the worst cosine."""
    line = "{:<15}{:>8}{:>8}{:>8}{:>8}{:>12}{:>8}".format
    head = "method", "error", "cosine", "worst", "ms", "processor ms", "share"
    lines, exact = [line(*head)], None
    for name in METHODS:
        own = [row for row in rows if row["method"] == name]
        if not own:
            continue
        timed = own[0]
        exact = exact or timed["processor_milliseconds"]
        cosines = [row["cosine"] for row in own]
        lines.append(
            line(
                name,
                f"{np.mean([row['error'] for row in own]):.4f}",
                f"{np.mean(cosines):.4f}",
                f"{min(cosines):.4f}",
                f"{timed['gradient_milliseconds']:.0f}",
                f"{timed['processor_milliseconds']:.0f}",
                f"{timed['processor_milliseconds'] / exact:.2f}",
            )
        )
    return "\n".join(lines)


def draw(rows):
    """A figure of the errors of all volumes against the time."""
    from experiments.panels import panels

    figure, axes = panels(1, 1, (6.4, 3.8))
    for name in METHODS[1:]:
        own = [row for row in rows if row["method"] == name]
        if not own:
            continue
        times = [own[0]["processor_milliseconds"]] * len(own)
        axes[0, 0].plot(
            times,
            [row["error"] for row in own],
            "o",
            label=name.replace("_", " "),
        )
    exact = next(row for row in rows if row["method"] == "exact")
    axes[0, 0].axvline(
        exact["processor_milliseconds"], color="black", label="exact"
    )
    axes[0, 0].set(
        yscale="log",
        xlim=(0, None),
        xlabel="time of the gradient [ms of the processor]",
        ylabel="relative error",
    )
    axes[0, 0].legend(frameon=False, fontsize=8)
    return figure


def parse_arguments(arguments=None):
    parser = command_line.argument_parser(__doc__)
    command_line.add_data_options(parser, "mni_brain/64")
    add = parser.add_argument
    numbers = {
        "filters": (8, "of the network"),
        "iterations": (30, "of the search"),
        "steps": (100, "of training, with a batch of 4"),
        "slices": (4, "of each volume that the gradient is taken on"),
    }
    for name, (value, text) in numbers.items():
        add(f"--{name}", type=int, default=value, help=f"{text} (%(default)s)")
    add("--norm", type=float, default=0.95, help="of a step (%(default)s)")
    add("--methods", nargs="+", choices=METHODS, default=METHODS)
    add(
        "--json",
        metavar="OUT",
        help="file for the rows; methods in it of the same training are kept",
    )
    add("--figure", metavar="OUT", help="file for a picture of them")
    add(
        "--report",
        action="store_true",
        help="measure nothing: show what is in the file of --json",
    )
    options = parser.parse_args(arguments)
    for name in numbers:
        if getattr(options, name) < 1:
            parser.error(f"--{name} must be at least 1")
    if options.report and not options.json:
        parser.error("--report needs the file of --json")
    return options


def run(options):
    if options.report:
        found = json.loads(pathlib.Path(options.json).read_text("utf-8"))
    else:
        found = train_and_measure(options)
    print(f"{found['what']}\n")
    print(table(found["rows"]))
    print("\niterations in the test: PSNR [dB]")
    print("  ".join(f"{n}: {x:.2f}" for n, x in found["psnr"].items()))
    if options.json and not options.report:
        path = pathlib.Path(options.json)
        path.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    if options.figure:
        from loupe_tf.report import save_figure

        save_figure(draw(found["rows"]), pathlib.Path(options.figure))


def train_and_measure(options):
    """Return all that was found, a dict that JSON can store."""
    import keras

    from loupe_tf.datasets import fold, load_splits, pool
    from loupe_tf.evaluation import central_slices

    splits, source = load_splits(options.data, options.data_dir)
    parts = splits.values()
    known = all(part.patients is not None for part in parts)
    if known and len({p for s in parts for p in s.patients}) >= FOLDS:
        splits = fold(pool(splits), 0, FOLDS)
        source = f"{source.partition(',')[0]}, first of {FOLDS} folds"
    train = splits["train"].images
    chosen = np.random.default_rng(0).integers(
        0, len(train), (options.steps, 4)
    )
    model = build(train, options)
    for step, rows in enumerate(chosen):
        if step == options.steps * 4 // 5:
            model.optimizer.learning_rate = 3e-4
        loss = model.train_on_batch(train[rows], train[rows])
    residual, forward = (
        float(keras.ops.convert_to_numpy(each))
        for each in (model.reconstructor.residual, model.reconstructor.steps)
    )
    found = {"loss": float(loss), "residual": residual, "forward": forward}
    found["psnr"] = qualities(model, splits["test"])
    model.reconstructor.set_limits(TOLERANCE, options.iterations)
    batches = {}
    for part in (splits["validation"], splits["test"]):
        for volume in np.unique(part.volumes):
            own = part.images[part.volumes == volume]
            rows = central_slices(np.zeros(len(own)), options.slices)
            batches[str(volume)] = own[rows]
    found["what"] = (
        f"{source}; {len(batches)} volumes, {options.slices} slices of each; "
        f"{options.filters} filters, norm {options.norm:g}, {options.steps} "
        f"steps of training; {forward:g} iterations forward"
    )
    rows = _rows_of_the_same(found, options)
    there = {row["method"] for row in rows}
    names = [name for name in options.methods if name not in there]
    return {**found, "rows": rows + measure(model, batches, names)}


def _rows_of_the_same(found, options):
    """The rows that the file of --json has of the same training."""
    path = options.json and pathlib.Path(options.json)
    if not path or not path.exists():
        return []
    before = json.loads(path.read_text("utf-8"))
    same = all(before.get(key) == value for key, value in found.items())
    return before["rows"] if same else []


def main(arguments=None):
    return command_line.exit_code(run, parse_arguments(arguments))


if __name__ == "__main__":
    sys.exit(main())
