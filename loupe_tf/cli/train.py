"""`loupe-tf train`: a mask learned with 4S, and what it gained."""

from loupe_tf.checks import invalid
from loupe_tf.cli.measurement import describe, phase_for
from loupe_tf.cli.phase import check_phase, is_complex, magnitudes, with_phase
from loupe_tf.cli.training.networks import NETWORKS
from loupe_tf.cli.training.options import EPOCHS, add_options, check, complete
from loupe_tf.cli.vocabulary import GOES_ON, add_command, settings_of

DOC = """\
Learn which samples of k-space to acquire, and a network that makes the image
from them; report what that gains over a fixed mask.

examples:
  a first try on simulated brains, in minutes:
    loupe-tf train --demo
  lines for a 2-D scan with 8 coils:
    loupe-tf train --data my_volumes/ --lines columns --coils 8 \\
        --peak-snr 50 --batch-size 4 --epochs 30 10 --out runs/lines
  points for a 3-D scan with 8 coils:
    loupe-tf train --data my_volumes/ --calibration 24 --coils 8 \\
        --peak-snr 50 --batch-size 4 --epochs 30 10 --out runs/points
  points for one coil; --phase is for magnitude images:
    loupe-tf train --data my_volumes/ --phase --network modl \\
        --batch-size 4 --epochs 30 10
  the same by a small U-Net, which is faster and less good:
    loupe-tf train --data my_volumes/ --phase --filters 8 --epochs 30 10
  rows at R = 8, from a data set that `loupe-tf build` has made, on all GPUs:
    loupe-tf train --data mri_volumes/mine --data-dir data/ --phase \\
        --lines rows --acceleration 8 --distribute mirrored --out runs/rows

Two models are trained on the same images, with the same network and for the
same number of epochs, in the two rounds of the 4S paper (Martinini et al.,
BioCAS 2022): one learns its mask with 4S, the other has a fixed mask of the
same budget, --baseline. Both are judged on volumes that neither has seen, and
beside them a method that learns nothing: total variation, or CG-SENSE with
--coils.

--out gets model.keras, mask.npz, metrics.json and report.html, a self-contained
page, which says first whether the learned mask is better. A run that was
stopped goes on when the same command is given again. The environment variable
KERAS_BACKEND chooses the backend: tensorflow, jax or torch.
"""


def add(commands):
    """Add the command."""
    train = add_command(
        commands,
        "train",
        "learn a mask, and a network that goes with it",
        DOC,
        "(--demo | --data DATA)",
    )
    add_options(train)
    train.set_defaults(run=run, stopped=GOES_ON)


def run(options):
    """Run the command."""
    if options.data is None:
        raise ValueError(
            "No images: give --data DIR, or --demo for simulated ones"
        )
    complete(options)
    check(options)
    check_phase(options.phase)
    from loupe_tf import distribution

    devices = distribution.Distribution(
        options.distribute, options.logical_devices
    )
    # It brings Keras, whose backend the line before has chosen.
    from loupe_tf import evaluation, masks
    from loupe_tf.checks import check_choice
    from loupe_tf.cli.training import models, page, rounds, sentences
    from loupe_tf.cli.training.calibration import budget_of
    from loupe_tf.cli.training.scans import image_shape, simulate
    from loupe_tf.evaluation.tuning import spread_slices
    from loupe_tf.layers.estimators import ESTIMATORS
    from loupe_tf.provenance import count_accelerators, provenance
    from loupe_tf.run_folder import RunFolder

    check_choice("estimator", options.estimator, ESTIMATORS)
    if options.batch_size % devices.replicas:
        raise invalid(
            "batch_size",
            f"a multiple of the number of devices, {devices.replicas}",
            options.batch_size,
        )
    with devices.chief_first():
        data, source = load_data(options)
    scans = simulate(options, data, devices)
    images, data = data, magnitudes(data)
    test, shape = data["test"], image_shape(scans, options)
    view = data["train"].field_of_view
    if options.calibration is None:
        options.calibration = masks.default_calibration(
            shape[:2], options.acceleration, options.lines
        )
    facts = {
        **provenance(settings_of(options), source, data),
        "convention": page.CONVENTION,
        "measurement": describe(vars(options)),
        "devices": str(devices),
    }
    print(f"Data: {source}; {facts['volumes']}\nTraining on {devices}")
    print(sentences.plan(options))
    if not count_accelerators() and options.epochs == EPOCHS:
        print(
            "No GPU was found: {} + {} epochs take long. --epochs 30 10 "
            "--filters 8 are enough to try".format(*EPOCHS)
        )
    # Everything that may be refused is refused before training starts.
    evaluation.per_volume(test.images[:1], test.images[:1], test.volumes[:1])
    # The method without a network is tuned on them, at the end.
    spread_slices(data["validation"].images)
    with devices.scope():
        learned = models.build_model(options, devices, shape, view=view)
        mask = models.fixed_mask(options, shape[:2])
        fixed = models.build_model(options, devices, shape, mask, view)
    budget = budget_of(options, shape[:2])
    print(f"The learned mask acquires {budget}")
    out = RunFolder(options.out, writes=devices.is_chief)
    # A run may go on on other devices, or in a folder that was moved.
    own = ("out", "demo", "distribute", "logical_devices")
    settings = settings_of(options).items()
    settings = {k: v for k, v in settings if k not in own}
    if (slope := models.prob_slope(options)) != 5:
        # Older versions had 5 at each rate: their runs do not go on with this.
        settings["prob_slope"] = slope
    out.check_settings(settings)
    devices.check_fft(shape[:2])
    crimes = []
    if devices.is_chief:
        crimes = warn_of_data_crimes(images, options)
        warn_of_phase_axis(data, options)
        warn_of_lines(options)
        warn_of_calibration(budget, options)

    both = learned, fixed
    trained = [rounds.train(options, m, data, scans, out) for m in both]
    if not devices.is_chief:
        return
    learned, fixed = map(devices.on_one_device, (learned, fixed))
    both = learned, fixed
    print(sentences.comparison(options, test.volumes))
    outcome = rounds.judge(options, both, trained, data, scans)
    has_phase = is_complex(images["test"])
    page.write(out, options, facts, crimes, test, learned, outcome, has_phase)


def load_data(options):
    """The splits, cropped where that is asked for, and where they are from."""
    from loupe_tf import datasets

    data, source = datasets.load_splits(
        options.data, options.data_dir, options.seed, complex_images=True
    )
    if options.crop_to_acquired:
        train_data = data["train"]
        extent = datasets.inspect(train_data.images, train_data.volumes).extent
        data = {k: v.crop_to_acquired(extent) for k, v in data.items()}
        source += f", k-space cropped to the acquired extent {extent}"
    options.phase = phase_for(options.coils, options.phase, data)
    return data, with_phase(source, options.phase)


def warn_of_data_crimes(data, options):
    """Warn of images that are easier than scans; return what was said."""
    from loupe_tf import datasets

    columns = []
    for field in ("images", "volumes", "patients", "sources"):
        column = {name: getattr(slices, field) for name, slices in data.items()}
        unknown = any(values is None for values in column.values())
        columns.append(None if unknown else column)
    if not options.phase:
        return datasets.warn_of_data_crimes(*columns)
    said = datasets.warn_of_data_crimes(*columns, mended=("hermitian",))
    return [
        *said,
        f"The phase of the images is simulated, with {options.phase:g} rad of "
        "standard deviation. It is smoother than that of many scans, so the "
        "figures may still be optimistic.",
    ]


def warn_of_lines(options):
    """Warn of lines for several coils by a network that cannot use the maps."""
    import warnings

    kind = NETWORKS[options.network]
    if not options.lines or options.coils is None or kind.unrolled:
        return
    # docs/results/xpdnet.md.
    warnings.warn(
        f"--network {options.network} sees one combined image and cannot use "
        "the maps of the coils. Lines that a U-Net learned were 2.6 dB worse "
        "than equispaced ones for total variation, which uses them. For lines "
        "to scan with, give --network modl.",
        stacklevel=2,
    )


def warn_of_calibration(budget, options):
    """Warn of a calibration region that leaves too little to learn."""
    import warnings

    from loupe_tf.cli.training.calibration import doubt_of

    if doubt := doubt_of(budget, options.coils):
        warnings.warn(doubt, stacklevel=2)


def warn_of_phase_axis(data, options):
    """Warn of lines that do not lie across the axis of phase encoding."""
    import warnings

    import numpy as np

    axes = data["train"].phase_axes
    if axes is None or not options.lines:
        return
    across = {"columns": "W", "rows": "H"}
    other = next(lines for lines in across if lines != options.lines)
    wrong = axes == across[other]
    if wrong.any():
        count = len(np.unique(data["train"].volumes[wrong]))
        warnings.warn(
            f"--lines {options.lines} leaves out lines along "
            f"{across[options.lines]}, but the headers of {count} training "
            f"volumes state phase encoding along {across[other]}: a 2-D scan "
            f"of that direction can leave out {other} only (--lines {other}).",
            stacklevel=2,
        )
