"""`loupe-tf mask show`: the facts about a mask."""

import textwrap

from loupe_tf.cli.masks import (
    add_command,
    add_reading,
    density_rows,
    design_texts,
    lobe_text,
    read,
    size_text,
    stated,
    titles,
    without_phase,
)
from loupe_tf.masks.description import (
    density_profile,
    resolution_text,
    side_lobe,
)
from loupe_tf.masks.mirror_images import (
    acquired_text,
    lacks_mirror_images,
    mirror_images,
)
from loupe_tf.report import save_figure, text_table

DESCRIPTION = """\
Print the facts about a mask: acceleration asked for and achieved, calibration
region, density by distance from DC; the largest side lobe of its point-spread
function, its place, and the largest value off the peak; for lines, how far out
they go, and the resolution that this gives. A note says if the mask leaves out
one half of k-space, as masks learned from images without a phase may do. With
--out, draw it.
"""

EXAMPLES = """\
examples:
  loupe-tf mask show mask.npz
  loupe-tf mask show mask.npz --out mask.png
  loupe-tf mask show pattern.cfl --shift
"""


def add(commands):
    """Add the command to those on masks."""
    show = add_command(
        commands, "show", "describe one mask", DESCRIPTION, EXAMPLES
    )
    show.add_argument("mask", help="file of a mask")
    add_reading(show)
    show.add_argument("--out", metavar="PNG", help="draw it into this file")
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
    lobe = side_lobe(mask)
    asked, outside, calibration = design_texts(mask, names)
    rows = [
        ("acquires", mask.lines or "points"),
        ("shape", f"{mask.shape[0]}×{mask.shape[1]}, DC at N // 2"),
        ("DC itself", _dc(mask)),
        ("matrix", size_text(mask.matrix)),
        ("field of view", size_text(mask.field_of_view, " mm")),
        ("acquired", f"{mask.acquired} of {mask.array.size}"),
        ("R asked for", asked),
        ("R achieved", f"{mask.achieved_acceleration:.4g}"),
        ("R outside calibration", outside),
        ("calibration", calibration),
        ("slope", "not known" if mask.slope is None else f"{mask.slope:g}"),
        ("mirror images", _mirrored(mask)),
        ("largest side lobe", lobe_text(lobe)),
        ("beside the peak", f"{lobe['off_peak']:.3f}, main lobe included"),
    ]
    if resolution := resolution_text(mask):
        rows.append(("resolution", resolution))
    for name, value in mask.provenance.items():
        text = str(value)
        rows.append((name, text if len(text) <= 70 else f"{text[:67]}..."))
    width = max(len(name) for name, _ in rows)
    facts = "\n".join(f"{name:<{width}}  {value}" for name, value in rows)
    edges, shares = density_profile(mask, 8)
    density = text_table(
        ["distance from DC (1: edge)", "share acquired"],
        density_rows(edges, shares),
    )
    parts = [facts, density]
    lacking = lacks_mirror_images(mask) or without_phase(mask)
    if lacking:
        parts.append(textwrap.fill(lacking, 80))
    return "\n\n".join(parts)


def _mirrored(mask):
    found = mirror_images(mask)
    chance = f"{found['by_chance']:.0f} would by chance"
    return f"{acquired_text(found, mask)}; {chance}"


def _dc(mask):
    if mask.array[tuple(n // 2 for n in mask.shape)]:
        return "acquired"
    # Learned masks without DC were 0.3 to 1.7 dB worse for their own
    # network, and up to 13 dB for all others: docs/results/mask_transfer.md.
    return "NOT acquired: of little use but to a network trained for it"
