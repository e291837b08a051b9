"""Names, comparisons and figures of unrolled networks and their masks."""

import collections
import re

from experiments.claims import Claim
from experiments.presets.xpdnet import (
    GIVEN_LINES,
    GIVEN_POINTS,
    LEARNED,
    TUNED,
)
from experiments.showing import draw_outputs
from loupe_tf import plots

TITLES = {
    "zero_filled": "zero-filled",
    "wavelet_l1": "CS, wavelets",
    "total_variation": "CS, total variation",
    "grappa": "GRAPPA",
    "unet": "U-Net",
    "modl": "MoDL",
    "varnet": "VarNet",
    "xpdnet": "XPDNet",
    "pdnet": "PDNet",
}
MASK_TITLES = {
    "equispaced": "equispaced lines",
    "random": "random lines",
    "gaussian_lines": "Gaussian lines",
    "central": "central lines",
    "central_points": "central points",
    "gaussian": "Gaussian points",
    "poisson_disc": "a Poisson disc",
    "tuned_gaussian": "tuned Gaussian points",
    "tuned_poisson_disc": "a tuned Poisson disc",
    "lines": "learned lines",
    "points": "learned points",
    "unet_lines": "the U-Net's lines",
    "unet_points": "the U-Net's points",
    "modl_lines": "MoDL's lines",
    "modl_points": "MoDL's points",
}
OTHER_MASKS = {
    "lines": GIVEN_LINES,
    "points": ("lines", *GIVEN_POINTS, "unet_points"),
    "unet_lines": GIVEN_LINES,
    "unet_points": ("unet_lines", *GIVEN_POINTS, *TUNED),
    "modl_lines": GIVEN_LINES,
    "modl_points": ("modl_lines", *GIVEN_POINTS, *TUNED),
    "tuned_gaussian": ("gaussian", "central_points"),
    "tuned_poisson_disc": ("poisson_disc", "central_points"),
}
"""Masks that a mask is compared with, for the same method."""


def title_of(cell):
    """The method of a cell, with its number of iterations."""
    title = TITLES[cell.network]
    return f"{title} ×{cell.iterations}" if cell.iterations else title


def claims(cells):
    """Compare cells that differ in one respect.

    Args:
        cells: Dict of lists of records by cell, of `coils`, `acceleration`,
            `mask`, `network`, `iterations` and `noise`.

    Returns:
        A generator of `experiments.Claim`: each unrolled network against the
        U-Net, against itself with fewer iterations, and each method with one
        mask against another.
    """
    for cell, records in cells.items():
        mask, title = MASK_TITLES[cell.mask], title_of(cell)
        pairs = [
            (
                cell._replace(mask=other),
                f"{title}: {mask} against {MASK_TITLES[other]}",
            )
            for other in OTHER_MASKS.get(cell.mask, ())
        ]
        if cell.iterations:
            pairs += [
                (
                    other,
                    f"{mask}: {title} against {title_of(other)}",
                )
                for other in _rivals(cell, cells)
            ]
        coils = "1 coil" if cell.coils == 1 else f"{cell.coils} coils"
        if cell.noise:
            coils += f", noise {cell.noise:g}"
        for other, text in pairs:
            if other in cells:
                yield Claim(
                    f"{coils}, {text}",
                    records,
                    cells[other],
                    acceleration=cell.acceleration,
                )


def _rivals(cell, cells):
    """The U-Net, and the same network with the next fewer iterations."""
    fewer = [
        other
        for other in cells
        if 0 < other.iterations < cell.iterations
        and other == cell._replace(iterations=other.iterations)
    ]
    unet = cell._replace(network="unet", iterations=0)
    return [unet, *sorted(fewer, key=lambda other: other.iterations)[-1:]]


def draw(images):
    """Draw the learned masks, and all reconstructions by mask and by method.

    Args:
        images: The result of `experiments.first_images`.

    Returns:
        A dict of figures with their captions, by name.
    """
    figures = {}
    for coils, rate, noise in dict.fromkeys(map(_scan_of, images)):
        scan = coils, rate, noise
        here = {c: x for c, x in images.items() if _scan_of(c) == scan}
        name, where = f"C{coils}_R{rate:g}", f"coils: {coils}, R = {rate:g}"
        if noise:
            name, where = f"{name}_noise{noise:g}", f"{where}, noise {noise:g}"
        learned = {
            f"{title_of(c)}: {c.mask}": x["mask"]
            for c, x in here.items()
            if c.mask in LEARNED
        }
        figures[f"masks_{name}"] = (
            plots.masks(learned) if learned else None,
            f"{where}: learned masks, first seed. DC is in the centre.",
        )
        for mask in dict.fromkeys(cell.mask for cell in here):
            shown = {_shown(c): x for c, x in here.items() if c.mask == mask}
            figures[f"reconstructions_{name}_{mask}"] = (
                draw_outputs(shown),
                f"{where}, {MASK_TITLES[mask]}, first seed: the middle slice "
                "of the first test volume.",
            )
        for title in dict.fromkeys(map(_shown, here)):
            shown = {
                MASK_TITLES[c.mask]: x
                for c, x in here.items()
                if _shown(c) == title
            }
            if len(shown) > 1:
                method = re.sub(r"\W+", "_", title).lower()
                figures[f"masks_by_{method}_{name}"] = (
                    draw_outputs(shown),
                    f"{where}, {title}, first seed: the same slice from scans "
                    "with each mask.",
                )
    return figures


def _shown(cell):
    """The title of a picture. There, × is the scale of the error."""
    title, count = TITLES[cell.network], cell.iterations
    if not count:
        return title
    return f"{title}, {count} iteration{'s' if count > 1 else ''}"


def _scan_of(cell):
    return cell.coils, cell.acceleration, cell.noise


def choices(records):
    """The parameters of a tuned mask in words, with how often each was chosen.

    Args:
        records: List of records of one cell, see
            `experiments.tuned_points.choose`.
    """
    texts = [
        ", ".join(f"{name} {value}" for name, value in r["chosen"].items())
        for r in records
        if r.get("chosen")
    ]
    return "; ".join(
        f"{count} × {text}"
        for text, count in collections.Counter(texts).most_common()
    )
