"""`loupe-tf mask show`: the facts about a mask."""

import textwrap

from loupe_tf.cli.masks import (
    about_coils,
    about_points,
    add_command,
    add_reading,
    density_rows,
    design_texts,
    read,
    size_text,
    stated,
    titles,
    without_phase,
)
from loupe_tf.command_line import stands_for
from loupe_tf.masks.description import (
    density_profile,
    off_peak_text,
    resolution_text,
    side_lobe_text,
)
from loupe_tf.masks.mirror_images import (
    acquired_text,
    lacks_mirror_images,
    mirror_images,
    without_mirror_image,
)
from loupe_tf.reconstruction.calibration import maps_from_centre
from loupe_tf.report import save_figure, text_table

DOC = """\
Print the facts about a mask.

examples:
  loupe-tf mask make poisson_disc mask.npz --matrix 96 96 --calibration 24
  loupe-tf mask show mask.npz
  loupe-tf mask show mask.npz --out mask.png

The facts are:

  R                     achieved, asked for, and outside the calibration region
  sensitivity maps      whether the centre suffices to estimate them (ESPIRiT)
  resolution            of lines: how far out they go, and which have no gap
  largest side lobe     of the point-spread function, in percent of its peak
  largest off the peak  the pixel beside the peak, if it is higher than all side
                        lobes: it is the blur, and no alias
  mirror images         how many of the points or lines outside the calibration
                        region are acquired together with their mirror image
                        about DC
  share acquired        the density, by distance from DC
  how it was made       long values are shortened; `provenance` of the mask in
                        Python has all of them

Notes say if the mask leaves out one half of k-space, as masks learned from
images without a phase may do; which scan can acquire it; and, of a learned
mask, for which reconstruction it was learned.
"""


def add(commands):
    """Add the command to those on masks."""
    show = add_command(commands, "show", "describe one mask", DOC, "MASK")
    show.add_argument("mask", metavar="MASK", help="file of a mask")
    add_reading(show)
    out = show.add_argument(
        "--out", metavar="PNG", help="draw it into this file"
    )
    stands_for(out, "path")
    show.set_defaults(run=run)


def run(options):
    """Run the command."""
    mask = read(options.mask, options)
    print(description(mask, stated(options.mask, options)))
    if options.out:
        from loupe_tf import plots

        (title,) = titles([options.mask])
        save_figure(plots.mask_description(mask, title), options.out)
        print(f"\n{options.out}")


def description(mask, names):
    """What `show` prints of a mask, as a text of several lines.

    Args:
        mask: `SamplingMask`.
        names: What `loupe_tf.cli.masks.stated` returns of its file.
    """
    asked, outside, calibration = design_texts(mask, names)
    resolution = resolution_text(mask)
    kind = mask.lines or "points"
    flank = off_peak_text(mask)
    facts = [
        ("R achieved", f"{mask.achieved_acceleration:.4g}"),
        ("R asked for", asked),
        ("R outside calibration", outside),
        ("shape", f"{size_text(mask.shape)}, DC at N // 2"),
        *([("matrix", size_text(mask.matrix))] if mask.lines else []),
        ("acquired", f"{mask.acquired} of {mask.array.size} {kind}"),
        ("calibration region", calibration),
        ("sensitivity maps", maps_from_centre(mask)[1]),
        *([("resolution", resolution)] if resolution else []),
        ("field of view", size_text(mask.field_of_view, " mm")),
        ("DC itself", _dc(mask)),
        ("largest side lobe", side_lobe_text(mask)),
        *([("largest off the peak", flank)] if flank else []),
        ("mirror images", _mirrored(mask)),
    ]
    made = _how_made(mask)
    # The longest name of ours; a file may have longer ones.
    width = max(len(name) for name, _ in facts)
    facts, made = (
        "\n".join(_wrapped(f"{name:<{width}}  ", value) for name, value in rows)
        for rows in (facts, made)
    )
    edges, shares = density_profile(mask, 8)
    density = text_table(
        ["distance from DC (1: edge)", "share acquired"],
        density_rows(edges, shares),
    )
    parts = [facts, density, *([made] if made else [])]
    lacking = lacks_mirror_images(mask) or without_phase(mask)
    notes = about_points(mask), lacking, about_coils(mask)
    parts += [textwrap.fill(f"Note: {note}", 80) for note in notes if note]
    return "\n\n".join(parts)


def _wrapped(name, value):
    if not value:
        return name.rstrip()
    return textwrap.fill(
        value,
        80,
        initial_indent=name,
        subsequent_indent=" " * len(name),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _how_made(mask):
    """Rows on where a mask comes from, each short enough for one line."""
    facts = dict(mask.provenance)
    rows = []
    history = facts.get("slope_history")
    if _is_course(history):
        del facts["slope_history"]
        rows.append(("slope", _course(history, mask.slope)))
    elif mask.slope is not None:
        rows.append(("slope", f"{mask.slope:g}"))
    if isinstance(digest := facts.get("weights_sha256"), str):
        # As many digits as tell two trainings apart.
        facts["weights_sha256"] = f"{digest[:12]}..."
    for name, value in facts.items():
        text = " ".join(str(value).split())
        rows.append((name, text if len(text) <= 70 else f"{text[:67]}..."))
    return rows


def _is_course(history):
    """Whether what a file has as the history of a slope is a list of them."""
    return (
        isinstance(history, list)
        and bool(history)
        and all(isinstance(value, int | float) for value in history)
    )


def _course(history, slope):
    """How training raised the slope, and the one of the mask if it differs."""
    first, last = f"{history[0]:g}", f"{history[-1]:g}"
    epochs = f"{len(history)} epoch{'s' * (len(history) > 1)}"
    if len(set(history)) == 1:
        text = f"{first}, not raised in {epochs}"
    else:
        text = f"{first} -> {last} in {epochs}"
    if slope is None or f"{slope:g}" == last:
        return text
    # Training keeps the best epoch, which need not be the last.
    return f"{text}, {slope:g} when the mask was kept"


def _mirrored(mask):
    found, edge = mirror_images(mask), without_mirror_image(mask)
    text = acquired_text(found, mask)
    if edge:
        text += f" ({edge} more at -N/2 not counted)"
    return (
        f"{text}; in a random mask of the same density at each distance from "
        f"DC, {found['by_chance']:.0f} would"
    )


def _dc(mask):
    if mask.array[tuple(n // 2 for n in mask.shape)]:
        return "acquired"
    # Learned masks without DC were 0.3 to 1.7 dB worse for their own
    # network, and up to 13 dB for all others: docs/results/
    # mask_transfer_earlier.md.
    return "NOT acquired: of little use but to a network trained for it"
