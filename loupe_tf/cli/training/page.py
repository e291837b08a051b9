"""What `loupe-tf train` leaves: the model, the mask, figures, and a page."""

import numpy as np

from loupe_tf import evaluation, masks, plots, report
from loupe_tf.atomic import written_aside
from loupe_tf.cli.training import before_a_scan, sentences, words
from loupe_tf.cli.training.models import fixed_mask
from loupe_tf.cli.training.networks import NETWORKS
from loupe_tf.cli.training.rounds import ZERO_FILLED
from loupe_tf.cli.vocabulary import settings_of
from loupe_tf.masks.description import resolution_text, side_lobe_text

CONVENTION = (
    "PSNR = -10 log10(MSE) on images divided by their volume's maximum; SSIM "
    "with data range 1; both averaged over the slices of a volume, then mean ± "
    "standard deviation over the volumes of the test split. Gains are paired "
    "by volume, so their interval is narrower than these deviations. With "
    "--coils, and --peak-snr or --snr, the scans of validation and test have "
    "coils and noise too, the same for each mask; the truth is the magnitude "
    "of the images, without noise"
)
CAPTION = (
    "Mean ± standard deviation over the test volumes. Gains are paired by "
    "volume, so their interval is narrower than these deviations. “Words”, "
    "below, explains the columns; “How it was obtained” defines the metrics."
)
TRAINING_CAPTION = (
    "Achieved R is all samples over the acquired ones. The slope is that of "
    "the best epoch, whose weights were kept."
)
UNDER_TABLE = (
    "Mean ± standard deviation over the test volumes; [a, b], below, is the "
    "95 % interval of a mean gain"
)
OVERVIEW = (
    "The learned mask, and a slice in the middle of the first test volume: the "
    "true image, the zero-filled image of the mask's samples, the "
    "reconstruction, and its error."
)
IN_SHORT = (
    "k-space is the Fourier transform of the image. R = {rate:g}: the mask "
    "acquires 1/{rate:g} of its samples. PSNR, the peak signal-to-noise ratio, "
    "is higher for a smaller squared error, which 1 dB more makes a fifth "
    "smaller."
)
STATES = (
    "Settle what is open before you scan, and know the notes; ok needs nothing."
)
WHOSE_LOSS = {
    "learned": " The loss is that of the random masks of training, the "
    "validation loss that of the binary mask."
}
HEADER = [
    "mask, reconstruction",
    "PSNR [dB]",
    "SSIM",
    "NMSE",
]
TRAINING_HEADER = ["mask", "achieved R", "slope", "epochs", "seconds"]


def write(out, options, facts, crimes, test, model, outcome, has_phase):
    """Write everything that a run leaves, and print its table.

    Args:
        out: `RunFolder`.
        options: `argparse.Namespace` of `loupe-tf train`.
        facts: Dict of texts by name: how it was obtained.
        crimes: List of strings, what makes the images too easy.
        test: `loupe_tf.datasets.Slices`.
        model: The learned model, for one device.
        outcome: What `loupe_tf.cli.training.rounds.judge` returns.
        has_phase: Boolean, whether the images given have a phase.
    """
    with written_aside(out / "model.keras") as partial:
        model.save(partial)
    provenance = {
        "data": facts["data"],
        "slope_history": outcome.histories[model.name]["slope"],
    }
    simulated = {
        "phase": options.phase or None,
        "coils": options.coils,
        "snr": options.snr,
        "peak_snr": options.peak_snr,
    }
    for name, value in simulated.items():
        if value is not None:
            provenance[f"simulated_{name}"] = value
    provenance["network"] = options.network
    mask = masks.from_model(model, provenance=provenance)
    probability = masks.probability_from_model(model)
    mask.save(out / "mask.npz")
    report.save_figure(plots.mask(mask, probability), out / "mask.png")

    network, results = NETWORKS[options.network].title, outcome.results
    overview = draw_overview(mask, test, outcome.outputs, network)
    report.save_figure(overview, out / "overview.png")
    gains = sentences.gains_of(results, options.baseline, network)
    method = sentences.untrained(options)
    alone_gains = sentences.gains_of(results, options.baseline, method)
    facts = {**facts, method: regularizations(results)}
    peak = before_a_scan.peak_snr(options, test.images, test.volumes)
    if peak is not None:
        measured = f"{facts['measurement']}, {before_a_scan.peak_text(peak)}"
        facts = {**facts, "measurement": measured}
    doubts = sentences.doubts_of(results, network)
    resolution = resolution_text(mask)
    demo = "mni_brain" in facts["data"]
    kind, pattern, alone = sentences.against_the_centre(options, results)
    without = f"By {method}"
    if options.baseline == pattern:
        without += f", which {sentences.uses(options)}"
    verdict = sentences.verdict(
        options, network, results, gains["psnr"], doubts
    )
    said = [
        sentences.still_falling(outcome.histories),
        sentences.by_untrained(options, results),
        f"{without}, the learned {kind} are {alone}."
        + sentences.advice(options, pattern),
        resolution and f"The learned mask acquires {resolution}.",
        sentences.slope_never_raised(
            options, outcome.histories[model.name]["slope"]
        ),
    ]
    said = [text for text in said if text]
    lacking = masks.lacks_mirror_images(mask)
    if lacking:
        doubts.append(f"The learned mask: {lacking}")
    metrics = {
        "results": results,
        "gain_db": float(gains["psnr"].mean()),
        "facts": facts,
        "data_crimes": crimes,
        "doubts": doubts,
    }
    out.write_json("metrics.json", metrics, indent=2)
    out.write_json("history.json", outcome.histories)
    ready, open_points = before_a_scan.section(
        mask,
        gains,
        (pattern, alone),
        options,
        has_phase,
        demo,
        alone_gains,
        peak,
    )
    if demo:
        doubts = [
            *doubts,
            "These brains are simulated from one average anatomy: good for "
            "trying and testing, not for conclusions. The true images have "
            "noise of their own, with a standard deviation of about 1.8 % of "
            "their volume's maximum. No network can predict it, so PSNR cannot "
            "rise far above 35 dB.",
        ]
    said += doubts
    rows = [
        [sentences.title_of(name), *row(result)]
        for name, result in results.items()
    ]
    table = report.table(HEADER, rows, CAPTION)
    obtained = {k: v for k, v in facts.items() if k != "settings"}
    sections = {
        "": [
            report.paragraph("\n\n".join(verdict), box=True),
            report.figure(overview, OVERVIEW),
            IN_SHORT.format(rate=options.acceleration),
            *said,
            table,
        ],
        "Before a scan": [
            ready,
            STATES,
            report.table(before_a_scan.HEADER, open_points, badges="state"),
        ],
        **(
            {"Limits of the images": sentences.limits(crimes, mask)}
            if crimes
            else {}
        ),
        "Reconstructions": images_section(test, outcome.outputs, network),
        "The mask": [
            *mask_section(mask, probability),
            *fixed_section(options, test.images.shape[1:3]),
        ],
        "Training": training_section(outcome, network),
        "Words": [],
        "How it was obtained": [report.facts(obtained)],
        "Settings": [report.facts(settings(options, outcome.histories))],
    }
    sections["Words"] = [report.facts(words.words_of(sections))]
    title = f"A k-space mask learned at R = {options.acceleration:g}"
    report.write_report(out / "report.html", title, sections)
    print(f"\n{report.text_table(HEADER, rows)}")
    if len(gains["psnr"]) > 1:
        print(UNDER_TABLE)
    print("", *verdict, *said, "", sep="\n")
    print(f"See {out / 'report.html'}, and the mask in {out / 'mask.npz'}")


def regularizations(results):
    """The λ of the method without a network for each mask, as text."""
    found = [
        f"{result['regularization']:g} "
        f"({sentences.title_of(name).partition(',')[0]})"
        for name, result in results.items()
        if "regularization" in result
    ]
    return f"λ = {', '.join(found)}, by PSNR on validation slices"


def settings(options, histories):
    """The settings to show, with what those that were not given came to be.

    Args:
        options: `argparse.Namespace` of `loupe-tf train`.
        histories: Dict of the logs by the names of the models.
    """
    found = settings_of(options)
    if found["slope"] is None:
        found["slope"] = histories["learned"]["slope"][0]
    if found["lines"] is None:
        found["lines"] = "none (points are learned)"
    return {
        name: "none" if value is None else value
        for name, value in found.items()
    }


def row(result):
    """Cells of the table of image quality for one result."""
    values = {
        name: [volume[name] for volume in result["volumes"].values()]
        for name in ("psnr", "ssim", "nmse")
    }
    return [
        report.spread(values["psnr"]),
        f"{np.mean(values['ssim']):.4f}",
        f"{np.mean(values['nmse']):.5f}",
    ]


def training_row(result):
    """Cells of the table of the trainings, for one result with a network."""
    slope = result["slope"]
    return [
        f"{result['achieved_acceleration']:.3f}",
        "-" if slope is None else f"{slope:.4g}",
        str(result["epochs"]),
        f"{result['seconds']:.0f}",
    ]


def draw_overview(mask, test, outputs, network):
    """The learned mask and what is made of its samples, in one row."""
    one = [evaluation.middle_slice(test.volumes)]
    return plots.overview(
        mask,
        test.images[one],
        outputs[ZERO_FILLED][one],
        outputs[f"learned, {network}"][one],
        voxel_size=test.voxel_size,
    )


def mask_section(mask, probability):
    """The mask, in words and figures."""
    return [
        f"This mask is {mask}.",
        report.figure(
            plots.mask(mask, probability),
            "The binary mask that inference uses, and the probabilities behind "
            "it. DC is in the centre.",
        ),
        report.figure(
            plots.probability_histogram(probability),
            "The nearer to 0 and 1, the less is lost by making the mask "
            "binary; near-binary is below 0.05 or above 0.95. If most "
            "probabilities lie around 1/R, and the mask looks like noise "
            "outside its centre, it needs more training.",
        ),
        report.figure(
            plots.mask_description(mask, show_mask=False),
            "The share of samples acquired by distance from DC, and the "
            "point-spread function: the zero-filled image of one bright pixel. "
            "The circle marks its largest side lobe, ringing or an alias: "
            + side_lobe_text(mask).replace("-", "−")
            + ".",
        ),
    ]


def fixed_section(options, size):
    """The mask that the learned one is compared with."""
    mask = fixed_mask(options, size)
    words = sentences.in_words(options.baseline)
    text = str(mask).replace(options.baseline, words)
    drawn = plots.mask(mask)
    drawn.axes[0].set_title(title_of_fixed(options, mask))
    return [report.figure(drawn, f"The fixed mask, for comparison: {text}.")]


def title_of_fixed(options, mask):
    """Which fixed mask it is, and how much it acquires, as text."""
    words = sentences.in_words(options.baseline)
    return (
        f"{words[0].upper()}{words[1:]}\n{mask.acquired} of {mask.array.size} "
        f"{mask.lines or 'points'}, R = {mask.achieved_acceleration:.3g}"
    )


def images_section(test, outputs, network):
    """Slices in the middle of test volumes, by the networks."""
    shown = evaluation.central_slices(test.volumes)
    figure = plots.reconstructions(
        test.images[shown],
        {
            sentences.title_of(name): output[shown]
            for name, output in outputs.items()
            if name.endswith(network)
        },
        voxel_size=test.voxel_size,
        labels=[str(test.volumes[i]) for i in shown],
    )
    text = (
        "Slices in the middle of test volumes. The modulus of the error is "
        "magnified five times: its brightest colour is a fifth of the white of "
        "the images."
    )
    return [report.figure(figure, text)]


def training_section(outcome, network):
    """The facts and the curves of both trainings."""
    histories, figures = outcome.histories, {}
    rows = [
        [sentences.title_of(name).partition(",")[0], *training_row(result)]
        for name, result in outcome.results.items()
        if name.endswith(network)
    ]
    for name, history in histories.items():
        figures[name] = plots.training_curves(history)
        figures[name].axes[0].set_title(f"Training with the {name} mask")
    curves = [
        report.figure(
            figure,
            f"The {name} mask. The vertical line is where round two begins, "
            "from the best weights of round one. The test uses the weights of "
            f"the best epoch of both.{WHOSE_LOSS.get(name, '')}",
        )
        for name, figure in figures.items()
    ]
    table = report.table(TRAINING_HEADER, rows, TRAINING_CAPTION)
    return [table, *curves]
