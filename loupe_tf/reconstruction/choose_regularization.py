import dataclasses

import numpy as np

from loupe_tf.checks import check_number, invalid
from loupe_tf.masks import SamplingMask
from loupe_tf.masks.centre import judged
from loupe_tf.numpy_operators import to_channels


def choose_regularization(
    reconstructor,
    candidates,
    kspaces,
    masks,
    targets,
    maps=None,
    metric="psnr",
):
    """Try several regularizations on validation images and keep the best.

    Args:
        reconstructor: Reconstructor that has a `regularization`, such as
            `WaveletL1(0.0)`. Its other settings are kept.
        candidates: Sequence of numbers of at least 0.
        kspaces: Sequence of k-space arrays, each `(H, W)` or `(coils, H, W)`.
        masks: One mask for all images, or a sequence with one for each.
        targets: Sequence of true images `(H, W)`. Real targets are compared
            with magnitudes, complex targets with complex reconstructions.
        maps: `None`, maps `(coils, H, W)` for all images, or a sequence with
            maps for each.
        metric: `"psnr"`, the mean of `loupe_tf.metrics.psnr` with the largest
            value of all targets as the peak (another peak would shift all
            candidates equally), or `"nmse"`, the mean of
            `loupe_tf.metrics.nmse`.

    Returns:
        A pair: the reconstructor with the best candidate (the first one among
        equals), and a dictionary of the mean metric by candidate. If the best
        candidate is the first or the last, try others beyond it.

    Raises:
        ValueError: If an argument is invalid, or if the numbers of images
            differ.

    Example:

    ```python
    best, scores = choose_regularization(
        WaveletL1(0.0), [0.001, 0.003, 0.01], kspaces, mask, targets, maps
    )
    image = best(kspace, mask, maps)
    ```
    """
    if not dataclasses.is_dataclass(reconstructor) or not hasattr(
        reconstructor, "regularization"
    ):
        raise invalid(
            "reconstructor",
            "one that has a `regularization`",
            reconstructor,
        )
    candidates = [*candidates]
    if not candidates:
        raise invalid("candidates", "at least one number", candidates)
    for candidate in candidates:
        check_number("candidates", candidate, at_least=0)
    if metric not in ("psnr", "nmse"):
        raise invalid("metric", "'psnr' or 'nmse'", metric)
    targets = [np.asarray(target) for target in targets]
    count = len(targets)
    if not count or len(kspaces) != count:
        raise invalid(
            "kspaces",
            f"as many as there are targets, {count}, and at least one",
            found=len(kspaces),
        )
    one_mask = isinstance(masks, SamplingMask) or _is_array(masks, 2)
    masks = _for_each("masks", masks, one_mask, count)
    one_set = maps is None or _is_array(maps, 3)
    maps = _for_each("maps", maps, one_set, count)
    peak = max(float(np.max(np.abs(target))) for target in targets)
    if peak == 0:
        raise invalid("targets", "an image that is not all zero", found="zeros")

    scores = {}
    with judged(*masks):
        for candidate in candidates:
            trial = dataclasses.replace(reconstructor, regularization=candidate)
            values = [
                _measure(trial(*given), target, peak, metric)
                for *given, target in zip(kspaces, masks, maps, targets)
            ]
            scores[candidate] = float(np.mean(values))
    choose = max if metric == "psnr" else min
    best = choose(scores, key=scores.get)
    return dataclasses.replace(reconstructor, regularization=best), scores


def _is_array(given, dimensions):
    return isinstance(given, np.ndarray) and given.ndim == dimensions


def _for_each(name, given, is_one, count):
    if is_one:
        return [given] * count
    if len(given) != count:
        raise invalid(
            name,
            f"one, or as many as there are targets, {count}",
            found=len(given),
        )
    return given


def _measure(image, target, peak, metric):
    import keras

    from loupe_tf import metrics

    if image.shape != target.shape:
        raise invalid(
            "targets", f"images of shape {image.shape}", found=target.shape
        )
    if not np.iscomplexobj(target):
        image = np.abs(image)
    pair = to_channels(target), to_channels(image)
    value = (
        metrics.nmse(*pair) if metric == "nmse" else metrics.psnr(*pair, peak)
    )
    return float(keras.ops.convert_to_numpy(value)[0])
