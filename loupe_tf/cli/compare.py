"""`loupe-tf mask compare`: two masks side by side."""

from loupe_tf.checks import invalid
from loupe_tf.cli.masks import (
    add_command,
    add_reading,
    density_rows,
    design_texts,
    read,
    stated,
    titles,
)
from loupe_tf.command_line import stands_for
from loupe_tf.masks.description import (
    acquired_lines,
    density_profile,
    off_peak_text,
    overlap,
    side_lobe_text,
)
from loupe_tf.report import save_figure, text_table

DOC = """\
Put two masks of one size side by side.

examples:
  loupe-tf mask make poisson_disc poisson.npz --matrix 96 96 --calibration 8
  loupe-tf mask make central_points central.npz --matrix 96 96
  loupe-tf mask compare poisson.npz central.npz --out both.png

The table has overlap, density, point-spread function and side lobes. Lines are
compared with points along the whole of k-space.
"""


def add(commands):
    """Add the command to those on masks."""
    compare = add_command(
        commands,
        "compare",
        "put two masks side by side",
        DOC,
        "MASK MASK",
    )
    both = compare.add_argument(
        "masks", nargs=2, metavar="MASK", help="two files"
    )
    stands_for(both, "other")
    add_reading(compare)
    out = compare.add_argument(
        "--out", metavar="PNG", help="draw both into this file"
    )
    stands_for(out, "path")
    compare.set_defaults(run=run)


def run(options):
    """Run the command."""
    names = options.masks
    if names[0] == names[1]:
        raise invalid("masks", "two different files", found=f"{names[0]} twice")
    loaded = [read(name, options) for name in names]
    masks = dict(zip(titles(names), loaded, strict=True))
    print(comparison(masks, [stated(name, options) for name in names]))
    if options.out:
        from loupe_tf import plots

        save_figure(plots.mask_comparison(masks), options.out)
        print(f"\n{options.out}")


def comparison(masks, names):
    """What `compare` prints of two masks by name.

    Args:
        masks: Dictionary of two `SamplingMask`s.
        names: What `loupe_tf.cli.masks.stated` returns of each file.
    """
    (first, mask), (second, other) = masks.items()
    common = overlap(mask, other)
    edges, shares = density_profile(mask, 8)
    if mask.lines == other.lines and mask.shape == other.shape:
        rings = density_rows(edges, shares, density_profile(other, 8)[1])
    else:  # Distances of lines and of points do not compare.
        rings = []
    pairs = (mask, other)
    asked, _, calibration = zip(*map(design_texts, pairs, names))
    table = [
        ["acquires", *(m.lines or "points" for m in pairs)],
        ["acquired", *(f"{m.acquired} of {m.array.size}" for m in pairs)],
        ["R asked for", *asked],
        ["R achieved", *(f"{m.achieved_acceleration:.4g}" for m in pairs)],
        ["calibration region", *calibration],
        *line_rows(pairs),
        ["largest side lobe", *map(side_lobe_text, pairs)],
        [
            "largest off the peak",
            *(off_peak_text(m) or side_lobe_text(m) for m in pairs),
        ],
        [
            "also in the other",
            f"{common['share']:.1%}",
            f"{common['other_share']:.1%}",
        ],
    ]
    text = text_table(["", first, second], table)
    text += (
        f"\n\nboth {common['intersection']}, either {common['union']}: "
        f"{common['jaccard']:.1%}; by chance {common['expected_share']:.1%} of "
        f"{first} would be in {second}"
    )
    if rings:
        header = ["density by distance from DC (1: edge)", first, second]
        text += "\n\n" + text_table(header, rings)
    return text


def line_rows(masks):
    """Rows on the lines of two masks: those without a gap, and the farthest."""
    found = [
        acquired_lines(mask) if mask.lines and mask.acquired else None
        for mask in masks
    ]
    if not any(found):
        return []
    without_gap = [
        f"{each['first']} to {each['last']}" if each and each["number"] else "-"
        for each in found
    ]
    farthest = [str(each["farthest"]) if each else "-" for each in found]
    return [
        ["lines without a gap", *without_gap],
        ["farthest from DC", *farthest],
    ]
