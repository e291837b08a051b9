"""Options, readers and texts that the commands on masks share."""

import pathlib

import numpy as np

from loupe_tf.cli import vocabulary
from loupe_tf.cli.training.networks import NETWORKS
from loupe_tf.command_line import meaning, stands_for
from loupe_tf.masks.centre import centred
from loupe_tf.masks.files.mask_files import (
    FORMATS,
    formats_by_suffix,
    read_mask,
)
from loupe_tf.masks.mirror_images import acquired_text, mirror_images
from loupe_tf.masks.sampling_mask import load_mask

FILES = """\
formats, by the suffix of the file:
{formats}

DC lies in the centre, at (H // 2, W // 2).
"""

READING = """\
A mask that is densest around the corner (0, 0) is refused; --shift moves DC to
the centre, --as-is takes the mask as it is.
"""

# The figure is from docs/results/xpdnet.md.
LEARNED_LINES = (
    "with several coils, lines that a U-Net learned were 2.6 dB worse than "
    "equispaced ones for total variation, which uses the coils. Learn lines "
    "with `loupe-tf train --lines {lines} --coils N`, which compares them with "
    "equispaced ones, or scan with `loupe-tf mask make equispaced_lines`."
)
# docs/guide/coils.md has the figures, which depend on the noise.
LEARNED_POINTS = (
    "with several coils, points that a U-Net learned were worse than a Poisson "
    "disc for total variation, which uses the coils. Learn points with "
    "`loupe-tf train --coils N`, which compares them with a "
    "Poisson disc, or scan with `loupe-tf mask make poisson_disc`."
)
FOR_COILS = (
    "these {kind} were learned for {coils} simulated coils, and serve the "
    "network that they were learned with, {network}. Before you scan, see in "
    "its report whether they are better than {rival}."
)
POINTS = (
    "points are for a 3-D scan. H and W are its two phase encodings, and the "
    "read-out is the third axis. {more}A 2-D scan needs lines."
)
AS_SEQUENCE = (
    "`loupe-tf mask convert --readout SAMPLES MM` writes a .seq that acquires "
    "them. "
)
SLAB = (
    "Their slab has no sharp edges: what it excites outside the field of view "
    "along W folds in at the other edge. "
)


def add_command(commands, name, text, doc, usage, aliases=(), reads=True):
    """Add a command on masks; its help says which formats there are."""
    reading = READING if reads else ""
    return vocabulary.add_command(
        commands,
        name,
        text,
        f"{doc}\n{describe_files()}{reading}",
        usage,
        aliases=aliases,
    )


def describe_files():
    """Return the part of a help that lists the formats of masks."""
    formats = [(" ".join(f.suffixes), f.holds) for f in FORMATS.values()]
    width = max(len(suffixes) for suffixes, _ in formats) + 2
    return FILES.format(
        formats="\n".join(f"  {a:{width}}{holds}" for a, holds in formats)
    )


def add_reading(command):
    """Add the options that say how a mask is read, see `read`."""
    add_shift(command)
    suffixes = " ".join(formats_by_suffix())
    given = command.add_argument(
        "--from-format",
        choices=FORMATS,
        help="format of the file read, if its suffix is none of "
        f"{suffixes} (default: by the suffix)",
    )
    stands_for(given, "format")
    command.add_argument(
        "--encoding",
        type=int,
        metavar="N",
        help="encoding space of an ISMRMRD file (default: 0)",
    )
    command.add_argument(
        "--lines",
        choices=("columns", "rows"),
        help="what the lines of ISMRMRD files are (default: columns)",
    )


def add_shift(command):
    """Add `--shift` and `--as-is`: where a mask has DC."""
    shift = command.add_mutually_exclusive_group()
    shift.add_argument(
        "--shift",
        action="store_const",
        const=True,
        help="move DC from the corner",
    )
    shift.add_argument(
        "--as-is",
        dest="shift",
        action="store_const",
        const=False,
        help="take DC to be in the centre",
    )


def read(path, options):
    """Load a mask as the options of `add_reading` say."""
    given = _given(options)
    with _reading(options):
        mask = load_mask(path, options.from_format, options.shift, **given)
    # Also in files that say where DC is: they may have been told wrongly.
    return mask if options.shift is not None else centred(mask)


def stated(path, options):
    """Return the names of the attributes of a mask that its file states."""
    with _reading(options):
        return set(read_mask(path, options.from_format, **_given(options))[0])


def _reading(options):
    """What is read has other options than what is written."""
    mask = "masks" if hasattr(options, "masks") else "mask"
    return meaning(path=mask, format="from_format")


def _given(options):
    """Return the options of formats that were given."""
    given = {name: getattr(options, name) for name in ("encoding", "lines")}
    return {name: value for name, value in given.items() if value is not None}


def design_texts(mask, names):
    """R asked for, R outside calibration, and calibration, as far as known.

    Args:
        mask: `SamplingMask`.
        names: What `stated` returns of its file.
    """
    outside = mask.acceleration_outside_calibration
    asked = "acceleration" in names
    centre = "calibration" in names
    return (
        f"{mask.acceleration:.4g}" if asked else "not known",
        f"{outside:.4g}" if centre else "not known",
        calibration_text(mask) if centre else "not known",
    )


def titles(paths):
    """Names of files, as short as they can be and still differ."""
    names = [pathlib.Path(path).name for path in paths]
    return names if len(set(names)) == len(names) else paths


def density_rows(edges, *shares):
    """Rows of a table: distances from DC, and the shares acquired there."""
    return [
        [f"{low:.2f}–{high:.2f}"]
        + ["" if np.isnan(v) else f"{v:.3f}" for v in values]
        for low, high, *values in zip(edges, edges[1:], *shares)
    ]


def size_text(size, unit=""):
    """A size, `H×W`, or that it is not known."""
    if size is None:
        return "not known"
    return "×".join(f"{n:g}" for n in size) + unit


def calibration_text(mask):
    """The calibration region of a mask, with its unit."""
    size = mask.calibration
    if not size:
        return "none"
    if mask.lines:
        return f"{size} {mask.lines}"
    return size_text(size if isinstance(size, tuple) else (size, size))


def without_phase(mask):
    """Return a note on a mask that was learned from magnitudes, or `""`."""
    facts = mask.provenance
    if facts.get("trained_on") != "magnitudes" or facts.get("half_plane"):
        return ""
    return (
        "This mask was learned from magnitudes, which have no phase. "
        f"{acquired_text(mirror_images(mask), mask)}; a scan, whose images "
        "have a phase, may need more of them. Learn a mask for a scanner with "
        "`loupe-tf train --phase`."
    )


def about_points(mask, as_sequence=False):
    """Return a note on the scan that points need; `""` for lines.

    Args:
        mask: `SamplingMask`.
        as_sequence: Boolean, whether it was just written as a `.seq`.
    """
    if mask.lines:
        return ""
    return POINTS.format(more=SLAB if as_sequence else AS_SEQUENCE)


def about_coils(mask):
    """Return a note on a learned mask and several coils; `""` for others."""
    made = mask.provenance
    if made.get("pattern") != "learned":
        return ""
    coils, kind = made.get("simulated_coils"), NETWORKS.get(made.get("network"))
    if coils and kind and kind.unrolled:
        return FOR_COILS.format(
            kind="lines" if mask.lines else "points",
            coils=coils,
            network=kind.title,
            rival="equispaced ones" if mask.lines else "a Poisson disc",
        )
    if mask.lines:
        return LEARNED_LINES.format(lines=mask.lines)
    return LEARNED_POINTS
