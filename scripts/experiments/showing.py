"""Figures of the images that runs have stored with `save_images`."""

import numpy as np

from loupe_tf import plots
from loupe_tf.kept_images import load_images


def first_images(cells, folder, run_of):
    """Load the images of each cell, all of the same fold and seed.

    These are the fold and the seed of which most cells have images, the first
    of several. So a figure shows one slice, also where a folder has records of
    other folds without their images.

    Args:
        cells: Dict of lists of records.
        folder: `RunFolder`.
        run_of: Callable that takes a record and returns its run, such as
            `Run.of`.

    Returns:
        Dict by cell of the results of `load_images`, without cells that have
        no images.
    """
    shown = {}
    for cell, records in cells.items():
        for run in map(run_of, records):
            images = load_images(folder, run.name)
            if images:
                group = run.fold or 0, run.seed
                shown.setdefault(group, {})[cell] = images
    groups = (shown[group] for group in sorted(shown))
    return max(groups, key=len, default={})


def draw_outputs(*groups):
    """Draw the true slice, reconstructions and errors.

    Args:
        *groups: Dicts by name of dicts with `"truth"`, `"output"` and, if
            known, `"voxel_size"`, all of the same slice. Several groups are
            drawn below each other, with a magnified part. Empty groups are
            skipped. Errors of three and more are drawn below the images.

    Returns:
        The figure; `None` if there is nothing to draw.
    """
    groups = [group for group in groups if group]
    if not groups:
        return None
    first = next(iter(groups[0].values()))
    truth, voxel_size = first["truth"][None], first.get("voxel_size")
    outputs = [
        {name: images["output"][None] for name, images in group.items()}
        for group in groups
    ]
    if len(outputs) == 1:
        return plots.reconstructions(
            truth,
            *outputs,
            voxel_size=voxel_size,
            errors_below=len(outputs[0]) > 2,
        )
    return plots.reconstruction_groups(truth, outputs, voxel_size=voxel_size)


def draw_rows(groups, rows, errors_below=False):
    """Draw the true slice and several reconstructions of it, one per row.

    Args:
        groups: Dict by name of dicts with `"truth"` and the reconstructions;
            each dict gets a column.
        rows: Dict of titles by the name of the reconstruction.
        errors_below: Boolean, see `loupe_tf.plots.reconstructions`.

    Returns:
        The figure.
    """
    first = next(iter(groups.values()))
    return plots.reconstructions(
        np.stack([first["truth"]] * len(rows)),
        {
            name: np.stack([images[row] for row in rows])
            for name, images in groups.items()
        },
        voxel_size=first.get("voxel_size"),
        labels=list(rows.values()),
        errors_below=errors_below,
    )
