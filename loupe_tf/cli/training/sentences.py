"""What the report of `loupe-tf train` says, sentence by sentence."""

import numpy as np

from loupe_tf import evaluation, masks
from loupe_tf.cli.intervals import interval
from loupe_tf.cli.training.classical import title_of_classical
from loupe_tf.cli.training.networks import NETWORKS
from loupe_tf.cli.training.rivals import CENTRAL, EASY, FOR_COILS, rivals_of
from loupe_tf.masks.mirror_images import without_mirror_image

# Patterns whose names are not their words with blanks between them.
IN_WORDS = {
    "gaussian": "Gaussian points",
    "gaussian_lines": "Gaussian lines",
    "poisson_disc": "Poisson-disc points",
    "uniform_random": "uniformly random points",
}


def plan(options):
    """Say what is going to be trained.

    Args:
        options: `argparse.Namespace` of `loupe-tf train`.
    """
    network, epochs = NETWORKS[options.network].title, sum(options.epochs)
    return (
        f"Two trainings ({network}, R = {options.acceleration:g}, at most "
        f"{epochs} epochs each): with a learned mask, then with "
        f"{in_words(options.baseline)}, the fixed mask"
    )


def comparison(options, volumes):
    """Say what is done after both trainings, which may take a while.

    Args:
        options: `argparse.Namespace` of `loupe-tf train`.
        volumes: Array, the volume of each test slice.
    """
    count = len(np.unique(volumes))
    return (
        f"Comparing the masks on {count} test volume{'s' * (count > 1)}, by "
        f"{untrained(options)} too"
    )


def verdict(options, network, results, gains, doubts):
    """State the gain of the learned mask, as far as that can be told.

    Args:
        options: `argparse.Namespace` of `loupe-tf train`.
        network: String, its name in tables.
        results: Dict of the results by name of mask and reconstruction.
        gains: Array, decibels of each test volume with the network.
        doubts: List of strings, what `doubts_of` returns.

    Returns:
        List of strings: what `sentence` returns, after the reason if the masks
        are compared without a network, and what `easy` returns.
    """
    more = [text] if (text := easy(options)) else []
    if not doubts:
        ssim = _ssim(results, options.baseline, network)
        return [*sentence(options, gains, ssim, f"the same {network}"), *more]
    method = untrained(options)
    alone = gains_of(results, options.baseline, method)["psnr"]
    ssim = _ssim(results, options.baseline, method)
    return [
        "The masks cannot be compared by their networks yet, since a network "
        "is worse than zero filling (below). The next sentences compare "
        f"{method}.",
        *sentence(options, alone, ssim, f"no network, {method}"),
        *more,
    ]


def easy(options):
    """Name a harder rival than the fixed mask; `""` if that is no easy one.

    Args:
        options: `argparse.Namespace` of `loupe-tf train`.
    """
    if options.baseline not in EASY:
        return ""
    rival = in_words(options.baseline)
    why, other = "", "a harder"
    if options.baseline in CENTRAL.values():
        why, other = ", a scan of low resolution", "a usual"
    return (
        f"{rival[0].upper()}{rival[1:]} are an easy rival{why}. For {other} "
        f"one, give `--baseline {FOR_COILS[kind_of(options)]}` and another "
        "`--out`."
    )


def untrained(options):
    """The method that judges a mask without a network.

    Args:
        options: `argparse.Namespace` of `loupe-tf train`.
    """
    return title_of_classical(options.coils)


def gains_of(results, rival, how):
    """What the learned mask gains over another one.

    Args:
        results: Dict of the results by name of mask and reconstruction.
        rival: String, the name of the other mask.
        how: String, the reconstruction.

    Returns:
        Dict of arrays, `"psnr"` and `"ssim"` of each test volume.
    """
    learned, other = (
        results[f"{name}, {how}"]["volumes"] for name in ("learned", rival)
    )
    return {
        metric: evaluation.paired_difference(learned, other, metric)
        for metric in ("psnr", "ssim")
    }


def by_untrained(options, results):
    """Compare the learned mask with the fixed one without a network.

    Args:
        options: `argparse.Namespace` of `loupe-tf train`.
        results: Dict of the results by name of mask and reconstruction.

    Returns:
        A sentence; `""` if the fixed mask is the central one, of which another
        sentence says this.
    """
    if options.baseline in CENTRAL.values():
        return ""
    method = untrained(options)
    gains = gains_of(results, options.baseline, method)["psnr"]
    ssim = _ssim(results, options.baseline, method)
    better = "worse" if gains.mean() < 0 else "better"
    return (
        f"By {method}, which {uses(options)}, the learned {kind_of(options)} "
        f"are {size_of(gains)} {better} than {rival_of(options)} (SSIM "
        f"{ssim[0]:.3f} against {ssim[1]:.3f})."
    )


def uses(options):
    """What the method without a network uses, as text."""
    maps = "" if options.coils is None else "uses the maps and "
    return f"{maps}learns nothing"


def rival_of(options):
    """The fixed mask in a comparison, such as `"the same number of ..."`.

    Args:
        options: `argparse.Namespace` of `loupe-tf train`.
    """
    rival = in_words(options.baseline)
    if not options.lines and options.baseline in rivals_of("lines"):
        return f"{rival} of the same R"
    return f"the same number of {rival}"


def kind_of(options):
    """`"lines"` or `"points"`, what is learned.

    Args:
        options: `argparse.Namespace` of `loupe-tf train`.
    """
    return "lines" if options.lines else "points"


def in_words(pattern):
    """What a pattern consists of, as text, such as `"central points"`.

    Args:
        pattern: String, one of `PATTERNS`.
    """
    if pattern in IN_WORDS:
        return IN_WORDS[pattern]
    text = pattern.replace("_", " ")
    if text.endswith(("lines", "points")):
        return text
    return f"{text} points"


def title_of(name):
    """The name of a result in words, such as `"central points, U-Net"`.

    Args:
        name: String, the mask and the reconstruction.
    """
    mask, *how = name.split(", ")
    return ", ".join([mask if mask == "learned" else in_words(mask), *how])


def still_falling(histories):
    """Say that a training might have gone on; `""` if none might.

    Args:
        histories: Dict of the logs by the names of the models.
    """
    falling = [
        name
        for name, history in histories.items()
        if len(history["loss"]) > 1
        and all(
            history[loss][-1] < min(history[loss][:-1])
            for loss in ("loss", "val_loss")
        )
    ]
    if not falling:
        return ""
    return (
        f"With the {' and the '.join(falling)} mask, loss and validation loss "
        "were still falling at the last epoch. More `--epochs` may change "
        "which mask is better."
    )


def against_the_centre(options, results):
    """Compare the learned lines or points with the central ones.

    Neither has a network: they are by total variation, or by CG-SENSE.

    Args:
        options: `argparse.Namespace` of `loupe-tf train`.
        results: Dict of the results by name of mask and reconstruction.

    Returns:
        Three strings: lines or points, the pattern of the central ones, and
        how the learned ones compare with it.
    """
    kind = kind_of(options)
    pattern = CENTRAL[kind]
    method = untrained(options)
    gains = gains_of(results, pattern, method)["psnr"]
    ssim = _ssim(results, pattern, method)
    better = "worse" if gains.mean() < 0 else "better"
    return (
        kind,
        pattern,
        f"{size_of(gains)} {better} than the same number of central {kind}, "
        f"whose image has low resolution (SSIM {ssim[0]:.3f} against "
        f"{ssim[1]:.3f})",
    )


def _ssim(results, rival, how):
    """The mean SSIM of the learned mask and of its rival, over volumes."""
    return [
        np.mean([volume["ssim"] for volume in each["volumes"].values()])
        for each in (
            results[f"learned, {how}"],
            results[f"{rival}, {how}"],
        )
    ]


def advice(options, pattern):
    """How to train a network on the central lines or points; `""` if it was."""
    if options.baseline == pattern:
        return ""
    return f" To train a network on those, give `--baseline {pattern}`."


def size_of(gains, unit=" dB", digits=2):
    """The size of a gain, whatever its sign, and its 95 % interval, as text.

    Args:
        gains: Array, decibels of each test volume.
        unit: String.
        digits: Integer, digits after the point.
    """
    size = f"{np.abs(gains.mean()):.{digits}f}{unit}"
    if len(gains) < 2:
        return size
    low, high = interval(gains * np.sign(gains.mean() or 1))
    return f"{size} [{low:.{digits}f}, {high:.{digits}f}]"


def limits(crimes, mask):
    """What makes the images too easy, and how far the mask makes use of it.

    Args:
        crimes: List of strings.
        mask: The learned `SamplingMask`.
    """
    found = masks.mirror_images(mask)
    is_hermitian = any(text.startswith("Hermitian") for text in crimes)
    if not is_hermitian or not found["outside"]:
        return crimes
    kind = "lines" if mask.lines else "points"
    where = (
        "Outside the calibration region" if mask.calibration else "Besides DC"
    )
    chance = found["by_chance"]
    # Two standard deviations below chance, by Poisson's law for the pairs.
    is_few = found["mirrored"] < chance - 2 * np.sqrt(2 * chance)
    conclusion = "does not clearly exploit the missing phase"
    if is_few:
        conclusion = (
            "exploits the missing phase, and part of the gain may be lost on a "
            "real scan"
        )
    edge = without_mirror_image(mask)
    having = " that have a mirror image" if edge else ""
    text = (
        f"{where}, the mask acquires both k and −k for {found['mirrored']} of "
        f"its {found['outside']} {kind}{having}. A random mask of the same "
        f"density at each distance from DC does so for about {chance:.0f}. So "
        f"this mask {conclusion}."
    )
    if edge:
        is_one = edge == 1
        text += (
            f" The {edge} {kind[:-1] if is_one else kind} at −N/2 "
            f"{'has' if is_one else 'have'} none, and "
            f"{'is' if is_one else 'are'} not counted."
        )
    return [*crimes, text]


def slope_never_raised(options, slopes):
    """Say that 4S has not acted; `""` if it has."""
    if len(set(slopes)) > 1 or options.factor == 1:
        return ""
    epochs = f"{options.patience} epoch{'s' * (options.patience > 1)}"
    less = ", or less patience" if options.patience > 1 else ""
    return (
        f"4S never raised the slope from {slopes[0]:g}: the loss never stalled "
        f"for {epochs} (`--patience`). Give more epochs{less}."
    )


def sentence(options, gains, ssim, how):
    """The verdict on the learned mask, and the figures behind it.

    Args:
        options: `argparse.Namespace` of `loupe-tf train`.
        gains: Array, decibels of each test volume.
        ssim: Pair of floats, the mean SSIM of the learned mask and of the
            other.
        how: String, how the images were reconstructed.

    Returns:
        Pair of strings.
    """
    kind, rival = kind_of(options), in_words(options.baseline)
    shown = np.round(ssim, 3)
    figures = f"PSNR {gains.mean():+.2f} dB"
    if len(gains) > 1:
        low, high = interval(gains)
        figures += (
            f" [{low:.2f}, {high:.2f}], better in {sum(gains > 0)} of "
            f"{len(gains)} test volumes"
        )
    figures += (
        f"; SSIM {ssim[0]:.3f} against {ssim[1]:.3f}; {how}, "
        f"R = {options.acceleration:g}, one seed."
    )
    if len(gains) == 1:
        text = (
            "Undecided: one test volume does not tell whether the learned "
            f"{kind} are better than {rival_of(options)}."
        )
    elif low <= 0 <= high:
        text = (
            "Undecided: the interval of the gain in PSNR over "
            f"{rival_of(options)} includes zero."
        )
    elif gains.mean() * (shown[0] - shown[1]) < 0:
        ours, others = f"the learned {kind}", f"the {rival}"
        if gains.mean() < 0:
            ours, others = others, ours
        text = (
            f"Undecided: {ours} have the better PSNR, {others} the better SSIM."
        )
    else:
        better = "worse" if gains.mean() < 0 else "better"
        text = (
            f"In this run, the learned {kind} are {better} than "
            f"{rival_of(options)}."
        )
    return text, figures


def doubts_of(results, network):
    """A sentence for each network that is no better than zero filling."""
    found = []
    for name, result in results.items():
        if name.endswith(network):
            other = results[name.replace(network, "zero-filled")]["volumes"]
            found.append(
                evaluation.worse_than_zero_filled(
                    title_of(name), result["volumes"], other
                )
            )
    return [text for text in found if text]
