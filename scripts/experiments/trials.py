"""A reconstructor that is tried on masks which trainings have left."""

from loupe_tf import evaluation
from loupe_tf.masks import SamplingMask


def find_file(path):
    """The path of what a training has left.

    Raises:
        ValueError: If it is not there.
    """
    if not path.exists():
        raise ValueError(
            f"no {path.parent.name}/{path.name}: its training has diverged, or "
            "was done elsewhere and its files were not copied"
        )
    return path


def try_on(masks, choose, test):
    """Judge reconstructions with several masks.

    Args:
        masks: Dict by name of paths of masks.
        choose: Callable that takes a mask and returns a reconstructor, and a
            dict of what was chosen for this mask.
        test: `loupe_tf.datasets.Slices`.

    Returns:
        A pair of dicts by the names of the masks: what was chosen, with what
        `loupe_tf.evaluation.judge` returns, or `{"error": text}`; and
        the reconstructions of a middle slice, `"truth"` beside them.
    """
    results, pictures = {}, {}
    for name, path in masks.items():
        try:
            mask = SamplingMask.load(find_file(path))
            reconstructor, chosen = choose(mask)
            found = evaluation.judge(
                reconstructor, mask, test.images, test.volumes
            )
        except ValueError as error:
            results[name] = {"error": str(error)}
            continue
        results[name] = {**chosen, **found}
        if found["unit_range"]:
            volume = next(iter(found["unit_range"]))
            shown = [evaluation.middle_slice(test.volumes, volume)]
            images = test.images[shown]
            pictures["truth"] = evaluation.magnitude(images)
            pictures[name] = evaluation.reconstruct(reconstructor, mask, images)
    return results, pictures


def failures(name, record):
    """A sentence for each mask and each volume without figures.

    Args:
        name: String, of the trial or training.
        record: Dict with an `"error"`, a text or `None`, and, of a trial, the
            `"results"` that `try_on` returns.
    """
    sentences = []
    if record["error"]:
        sentences.append(f"{name}: {record['error']}.")
    for mask, result in record.get("results", {}).items():
        if "error" in result:
            sentences.append(f"{name}: {mask}: {result['error']}.")
        for volume, problem in result.get("refused", {}).items():
            sentences.append(
                f"{name}: {mask}: volume {volume} left out, {problem}."
            )
    return sentences
