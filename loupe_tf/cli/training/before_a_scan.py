"""What stands between a learned mask and a scan: a section of the report."""

import pathlib
import shlex

import numpy as np

from loupe_tf import masks
from loupe_tf.cli.intervals import interval
from loupe_tf.cli.measurement import describe, has_noise
from loupe_tf.cli.training import sentences
from loupe_tf.cli.training.networks import NETWORKS
from loupe_tf.cli.training.rivals import EASY, FOR_COILS
from loupe_tf.reconstruction.calibration import (
    USUAL,
    maps_from_centre,
    needed_lines,
)

OPEN, DONE, NOTE = "open", "ok", "note"
HEADER = ["item", "state", "this mask", "what to do"]
ENOUGH_VOLUMES = 3
ONE_SEED = "repeat with `--seed 1` and another `--out`"
CONTRAST = [
    "contrast and relaxation",
    NOTE,
    "that of the images; a `.seq` is a spoiled gradient echo, whose relaxation "
    "was not simulated",
    "choose TE, TR and flip angle for it; FLAIR or T2 needs a sequence of its "
    "own",
]


def section(
    mask, gains, central, options, complex_images, demo, alone=None, peak=None
):
    """Make the section: a sentence, and a table of what was looked at.

    Args:
        mask: The learned `SamplingMask`.
        gains: Dict of arrays, `"psnr"` and `"ssim"` of each test volume over
            the fixed mask.
        central: Pair of the pattern of the central lines or points, and a
            string, how they compare without a network.
        options: `argparse.Namespace` of `loupe-tf train`.
        complex_images: Boolean, whether the images given have a phase.
        demo: Boolean, whether the images are simulated.
        alone: (Optional) dict like `gains`, without a network.
        peak: (Optional) float, what `peak_snr` returns of the test images.

    Returns:
        Tuple of the sentence and the rows under `HEADER`.
    """
    rows = [
        *([_anatomy()] if demo else []),
        _phase(options.phase, complex_images),
        _receivers(mask, options, peak),
        _maps(mask),
        _outside(mask, options.coils),
        _snr(mask),
        CONTRAST,
        _size(mask),
        _sequence(mask),
        _gain(gains, options),
        *([] if alone is None else [_by_untrained(alone, options)]),
        *(
            []
            if options.baseline == central[0]
            else [_centre(options, *central)]
        ),
    ]
    open_points = sum(state == OPEN for _, state, *_ in rows)
    command = _export(mask, options)
    if not open_points:
        text = "No item is open. Read the notes before you scan. Export the "
        return f"{text}mask: {command}.", rows
    are = "item is" if open_points == 1 else "items are"
    return (
        f"Not yet for a scanner: {open_points} {are} open. You can still "
        f"export the mask: {command}.",
        rows,
    )


def peak_snr(options, images, volumes):
    """The brightest pixel over the noise: docs/guide/conventions.md.

    Args:
        options: `argparse.Namespace` of `loupe-tf train`.
        images: Array of magnitudes `(n, H, W, 1)`.
        volumes: Array `(n,)`, the volume of each.

    Returns:
        Float, the median over volumes of the median over their slices; `None`
        without `--snr`, or if all images are zero.
    """
    if options.snr is None:
        return None
    volumes = np.asarray(volumes)
    power = np.einsum("nhwc,nhwc->n", images, images) / images[0].size
    seen = power > 0  # A slice of zeros has no noise either.
    if not seen.any():
        return None
    brightest = images.max(axis=(1, 2, 3))[seen] / np.sqrt(power[seen])
    volumes = volumes[seen]
    ratio = np.median(
        [np.median(brightest[volumes == one]) for one in np.unique(volumes)]
    )
    coils = options.coils or 1
    return float(np.sqrt(2 * coils) * 10 ** (options.snr / 20) * ratio)


def peak_text(peak):
    """The peak SNR, as text.

    Args:
        peak: Float, what `peak_snr` returns.
    """
    return f"peak SNR {peak:.3g} on the test images (median over volumes)"


def _export(mask, options):
    """The command that exports the mask, as text."""
    path = shlex.quote(str(pathlib.Path(options.out, "mask.npz")))
    to = "scan.seq" + " --fov H W" * (mask.field_of_view is None)
    if not mask.lines:
        to += " --readout SAMPLES MM"
    return f"`loupe-tf mask convert {path} {to}`"


def _anatomy():
    return [
        "images of real scans",
        OPEN,
        "no: simulated from one anatomy",
        "give your images with `--data`",
    ]


def _phase(simulated, complex_images):
    name = "images with a phase"
    if simulated:
        answer = f"simulated, {simulated:g} rad, and smoother than a scan's"
        return [name, NOTE, answer, "train on complex images if you have them"]
    if complex_images:
        return [name, DONE, "yes", ""]
    answer = "no: their k-space is Hermitian, and a scan's is not"
    return [name, OPEN, answer, "train on complex images, or with `--phase`"]


def _receivers(mask, options, peak):
    name = "receive coils and noise"
    answer = f"simulated: {describe(vars(options))}"
    if peak is not None:
        answer += f", {peak_text(peak)}"
    lacks = [
        text
        for value, text in (
            (options.coils is not None, "`--coils`"),
            (has_noise(vars(options)), "`--peak-snr`"),
        )
        if not value
    ]
    remedies = [f"give {' and '.join(lacks)}"] if lacks else []
    if mask.lines and not NETWORKS[options.network].unrolled:
        # docs/results/xpdnet.md; a training of MoDL lost too: guide/coils.md.
        answer += (
            ". With several coils, lines that a U-Net learned were 2.6 dB "
            "worse than equispaced ones for total variation, which uses the "
            "coils"
        )
        remedies.append(
            "learn lines for several coils with `--network modl`, and compare "
            "with equispaced ones, `--baseline equispaced_lines`"
        )
    if remedies:
        return [name, OPEN, answer, "; ".join(remedies)]
    remedy = (
        "compare the noise with your scanner's; with raw k-space of its coils, "
        "train in Python: `loupe_model(coils=..., peak_snr=...)`"
    )
    return [name, NOTE, answer, remedy]


def _maps(mask):
    side, answer = maps_from_centre(mask)
    needed = needed_lines()
    state, remedy = DONE, ""
    if side < USUAL:
        state, remedy = NOTE, f"`--calibration {USUAL}`, if R leaves room"
    if side < needed:
        # A 2-D scan can seldom spare so many lines.
        state = NOTE if mask.lines else OPEN
        remedy = f"`--calibration {needed}` or more, or maps of another scan"
    return ["region for sensitivity maps", state, answer, remedy]


def _snr(mask):
    # At the same resolution, and with equal noise in each sample (Pruessmann et
    # al., MRM 42, 1999).
    rate = mask.achieved_acceleration
    return [
        "signal-to-noise ratio",
        NOTE,
        "an image of full resolution from these samples alone, such as that of "
        f"SENSE, has √R·g = {rate**0.5:.2g}·g times the noise of the full scan "
        "(g: the g-factor of the coils, 1 or more); the network trades this "
        "against detail",
        "check that the full scan has enough signal",
    ]


def _outside(mask, coils):
    name = "R outside the calibration region"
    rate = mask.acceleration_outside_calibration
    axes = {"columns": "W", "rows": "H"}.get(mask.lines, "H and W")
    if rate == np.inf:
        return [name, NOTE, "nothing is acquired there", ""]
    # A cell that begins with a number would be a column of numbers.
    answer = f"R = {rate:.3g}"
    region = masks.calibration_region(mask.array.shape, mask.calibration)
    outside = mask.acquired - int(region.sum())
    if outside < mask.acquired / 2:
        kind = mask.lines or "points"
        answer += f", with {outside} of {mask.acquired} {kind} there"
    remedy = (
        f"scan with coils that differ along {axes}, and with more of them than "
        "this R"
    )
    if coils is None:
        return [name, NOTE, f"{answer}; one coil was simulated", remedy]
    answer += f"; {coils} coil{'s' * (coils > 1)}"
    if rate <= coils:
        return [name, NOTE, answer, remedy]
    remedy = "a lower `--acceleration`, or a smaller `--calibration` and maps "
    return [name, OPEN, f"{answer}: too few", f"{remedy}of another scan"]


def _size(mask):
    if mask.field_of_view is None:
        remedy = "give `--fov` when you export the mask"
        return ["field of view", OPEN, "unknown", remedy]
    answer = "×".join(f"{mm:g}" for mm in mask.field_of_view) + " mm"
    if mask.voxel_size:
        pixel = "×".join(f"{mm:.3g}" for mm in mask.voxel_size)
        answer += f", pixels of {pixel} mm"
    return ["field of view", DONE, answer, _fits(mask)]


def _fits(mask):
    """A reminder that the phase encoding is not oversampled."""
    along = {"columns": "W, the axis", "rows": "H, the axis"}.get(
        mask.lines, "H and W, the axes"
    )
    return (
        f"the object must fit into it along {along} of phase encoding, or it "
        "wraps: nothing is oversampled there"
    )


def _sequence(mask):
    if mask.lines:
        axis = {"columns": "W", "rows": "H"}[mask.lines]
        answer = f"2-D and 3-D, with phase encoding along {axis}"
        return ["a sequence for it", DONE, answer, ""]
    return [
        "a sequence for it",
        NOTE,
        "3-D only: both axes are phase-encoded, the readout is the third",
        "give the samples and the field of view of the readout when you export "
        "the mask, or export CSV to your own 3-D sequence; for 2-D, learn "
        "lines: `--lines columns`",
    ]


def _gain(gains, options):
    gains, ssim, baseline = gains["psnr"], gains["ssim"], options.baseline
    better = int((gains > 0).sum())
    name = f"gain over {sentences.in_words(baseline)}"
    answer = f"PSNR better in {better} of {len(gains)} test volumes"
    if better < len(gains):
        remedy = "give more epochs or images, or take the fixed mask"
        return [name, OPEN, answer, remedy]
    if better < ENOUGH_VOLUMES:
        answer += ": too few volumes to tell"
        return [name, NOTE, answer, "test on more volumes"]
    answer += f", by {sentences.size_of(gains)}"
    low, _ = interval(gains)
    if low <= 0:
        remedy = "the interval includes zero: test on more volumes"
        return [name, OPEN, answer, remedy]
    size = sentences.size_of(ssim, unit="", digits=3)
    if ssim.mean() >= 0:
        answer += f"; SSIM {size} better; one seed"
        remedy = ONE_SEED
        if baseline in EASY:
            answer += ", and an easy rival"
            harder = FOR_COILS[sentences.kind_of(options)]
            remedy += f", and with `--baseline {harder}`"
        return [name, NOTE, answer, remedy]
    _, high = interval(ssim)
    state = OPEN if high < 0 else NOTE
    remedy = "the two metrics disagree: look at the images, train for longer"
    return [name, state, f"{answer}; SSIM {size} worse", remedy]


def _by_untrained(gains, options):
    """Whether the mask also serves a method that has learned nothing."""
    rival, method = (
        sentences.in_words(options.baseline),
        sentences.untrained(options),
    )
    name = f"gain over {rival} by {method}"
    found = [
        f"{metric} {sentences.size_of(each, unit, digits)} "
        + ("worse" if each.mean() < 0 else "better")
        for metric, each, unit, digits in (
            ("PSNR", gains["psnr"], " dB", 2),
            ("SSIM", gains["ssim"], "", 3),
        )
    ]
    answer = ", ".join(found)
    better = min(each.mean() for each in gains.values()) >= 0
    enough = len(gains["psnr"]) >= ENOUGH_VOLUMES
    if better and enough and interval(gains["psnr"])[0] > 0:
        return [name, NOTE, f"{answer}; one seed", ONE_SEED]
    remedy = "reconstruct with the network that the mask was learned with"
    return [name, NOTE, answer, remedy]


def _centre(options, pattern, alone):
    # With several coils they are no rival: nobody scans with them.
    return [
        f"gain over {sentences.in_words(pattern)}",
        OPEN if options.coils is None else NOTE,
        f"not known with a network; without one, {alone}",
        f"compare with it: `--baseline {pattern}`",
    ]
