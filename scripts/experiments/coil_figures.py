"""Figures of models with lines learned for several coils."""

import numpy as np

from loupe_tf import plots


def draw(found, truth):
    """Draw all figures; return them with their captions, by name.

    Args:
        found: Dict of the results of each model by name: its `"mask"`, the
            `"images"` of the scan by method, arrays `(H, W)`, and its
            `"history"`.
        truth: Array `(H, W)`, the image from all samples.
    """
    unit = truth[None, ..., None] / truth.max()
    groups, lines, figures = [], {}, {}
    for name, result in found.items():
        images, mask = result["images"], result["mask"]
        groups.append(
            {
                f"{name}, {method}": image[None, ..., None] / truth.max()
                for method, image in images.items()
            }
        )
        shown = np.broadcast_to(mask.array, truth.shape).astype(float)
        lines[f"{name} ({mask.achieved_acceleration:.2f})"] = shown
        figures[f"curves_{name}"] = (
            plots.training_curves(result["history"]),
            f"Training with {name} lines. The vertical line is where round "
            "two begins.",
        )
    return {
        "scan": (
            plots.reconstruction_groups(unit, groups),
            "The real scan, divided by its largest pixel.",
        ),
        "masks": (plots.masks(lines), "The lines; DC is in the centre."),
        **figures,
    }
