"""Try a reconstructor with the masks of earlier trainings."""

from loupe_tf import evaluation, masks
from loupe_tf.atomic import written_aside
from loupe_tf.evaluation.trying import left_out, try_on


def leave(model, folder, stem):
    """Save a trained model and its mask for trials.

    Args:
        model: Trained `loupe_model` with one mask.
        folder: `RunFolder`; the files go to its folders `models` and `masks`.
        stem: String, the name of both files.

    Returns:
        The `SamplingMask`.
    """
    mask = masks.from_model(model)
    mask.save(folder / "masks" / f"{stem}.npz")
    with written_aside(folder / "models" / f"{stem}.keras") as partial:
        model.save(partial)
    return mask


def find_file(path):
    """Return the path of a training's file.

    Raises:
        ValueError: If the file does not exist.
    """
    if not path.exists():
        raise ValueError(
            f"no {path.parent.name}/{path.name}: its training has diverged, or "
            "was done elsewhere and its files were not copied"
        )
    return path


def always(reconstructor):
    """Make a `choose` for `try_on_all` that always gives this reconstructor."""
    return lambda mask: (reconstructor, {})


def tuned(method, images, candidates, slices):
    """Make a `choose` for `try_on_all` that tunes regularization per mask.

    Args:
        method, images, candidates, slices: Arguments of
            `loupe_tf.evaluation.tune`.
    """

    def choose(mask):
        found, scores = evaluation.tune(
            method, mask, images, candidates, slices
        )
        return found, {"regularization": found.regularization} if scores else {}

    return choose


def try_on_all(paths, choose, test):
    """Evaluate reconstructions with several masks.

    Args:
        paths: Dict by name of paths of masks.
        choose: Callable that takes a mask and returns a reconstructor and a
            dict of the values chosen for this mask.
        test: `loupe_tf.datasets.Slices`.

    Returns:
        A pair of dicts by the names of the masks. The first has the chosen
        values and the result of `loupe_tf.evaluation.judge`, or
        `{"error": text}`. The second has the reconstructions of a middle slice,
        and its `"truth"`.
    """
    results, pictures = {}, {}
    for name, path in paths.items():
        try:
            mask = masks.SamplingMask.load(find_file(path))
            reconstructor, chosen = choose(mask)
            found, shown = try_on(reconstructor, mask, test)
        except ValueError as error:
            results[name] = {"error": str(error)}
            continue
        results[name] = {**chosen, **found}
        if shown:
            pictures |= {"truth": shown["truth"], name: shown["output"]}
    return results, pictures


def failures(name, record):
    """Return a sentence for each mask and each volume without results.

    Args:
        name: String, the name of the trial or training.
        record: Dict with an `"error"`, a text or `None`, and, for a trial, the
            `"results"` of `try_on_all`.
    """
    sentences = []
    if record["error"]:
        sentences.append(f"{name}: {record['error']}.")
    for mask, result in record.get("results", {}).items():
        if "error" in result:
            sentences.append(f"{name}: {mask}: {result['error']}.")
        sentences += left_out(f"{name}: {mask}", result)
    return sentences
