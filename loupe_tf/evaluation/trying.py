"""Try a reconstructor on a mask: metrics, and an image to show."""

import numpy as np

from loupe_tf.evaluation.judging import judge, magnitude, reconstruct
from loupe_tf.evaluation.showing import middle_slice


def try_on(reconstructor, mask, test, maps=None, kspace=None):
    """Evaluate reconstructions with a mask.

    Args:
        reconstructor, mask: Arguments of `loupe_tf.evaluation.judge`.
        test: `loupe_tf.datasets.Slices`.
        maps, kspace: (Optional) arguments of `loupe_tf.evaluation.judge`.

    Returns:
        A pair of dicts: the result of `loupe_tf.evaluation.judge`; and the
        `"truth"` and the `"output"` for the middle slice of the first volume,
        arrays `(1, H, W, 1)`. The second dict is empty if no volume could be
        evaluated.
    """
    found = judge(reconstructor, mask, test.images, test.volumes, maps, kspace)
    if not found["unit_range"]:
        return found, {}
    volume = next(iter(found["unit_range"]))
    index = middle_slice(test.volumes, volume)
    images = test.images[[index]]
    own_maps = maps[index] if np.ndim(maps) == 4 else maps
    own_kspace = None if kspace is None else kspace[index][None]
    return found, {
        "truth": magnitude(images),
        "output": reconstruct(
            reconstructor, mask, images, own_maps, own_kspace
        ),
    }


def left_out(name, result):
    """Return a sentence for each volume that could not be evaluated.

    Args:
        name: String, the start of the sentence.
        result: The result of `loupe_tf.evaluation.judge`, if there is one.
    """
    return [
        f"{name}: volume {volume} left out, {problem}."
        for volume, problem in result.get("refused", {}).items()
    ]
