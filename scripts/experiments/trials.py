"""A reconstructor that is tried on masks which trainings have left."""

from loupe_tf import evaluation, masks
from loupe_tf.atomic import written_aside


def leave(model, folder, stem):
    """Keep a trained model and its mask for trials.

    Args:
        model: Trained `loupe_model` of one mask.
        folder: `RunFolder`; they are written to `models` and `masks` in it.
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


def always(reconstructor):
    """One that suits all masks, as `try_on_all` chooses it."""
    return lambda mask: (reconstructor, {})


def tuned(method, images, candidates, slices):
    """One whose regularization is chosen for each mask.

    Args:
        method, images, candidates, slices: As `loupe_tf.evaluation.tune` takes
            them.
    """

    def choose(mask):
        found, scores = evaluation.tune(
            method, mask, images, candidates, slices
        )
        return found, {"regularization": found.regularization} if scores else {}

    return choose


def try_on(reconstructor, mask, test):
    """Judge reconstructions with a mask.

    Args:
        reconstructor, mask: As `loupe_tf.evaluation.judge` takes them.
        test: `loupe_tf.datasets.Slices`.

    Returns:
        A pair of dicts: what `loupe_tf.evaluation.judge` returns; and of the
        middle slice of the first volume the `"truth"` and the `"output"`,
        arrays `(1, H, W, 1)`. Empty if no volume could be judged.
    """
    found = evaluation.judge(reconstructor, mask, test.images, test.volumes)
    if not found["unit_range"]:
        return found, {}
    volume = next(iter(found["unit_range"]))
    images = test.images[[evaluation.middle_slice(test.volumes, volume)]]
    return found, {
        "truth": evaluation.magnitude(images),
        "output": evaluation.reconstruct(reconstructor, mask, images),
    }


def try_on_all(paths, choose, test):
    """Judge reconstructions with several masks.

    Args:
        paths: Dict by name of paths of masks.
        choose: Callable that takes a mask and returns a reconstructor, and a
            dict of what was chosen for this mask.
        test: `loupe_tf.datasets.Slices`.

    Returns:
        A pair of dicts by the names of the masks: what was chosen, with what
        `loupe_tf.evaluation.judge` returns, or `{"error": text}`; and
        the reconstructions of a middle slice, `"truth"` beside them.
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
    """A sentence for each mask and each volume without figures.

    Args:
        name: String, of the trial or training.
        record: Dict with an `"error"`, a text or `None`, and, of a trial, the
            `"results"` that `try_on_all` returns.
    """
    sentences = []
    if record["error"]:
        sentences.append(f"{name}: {record['error']}.")
    for mask, result in record.get("results", {}).items():
        if "error" in result:
            sentences.append(f"{name}: {mask}: {result['error']}.")
        sentences += left_out(f"{name}: {mask}", result)
    return sentences


def left_out(name, result):
    """A sentence for each volume that could not be judged.

    Args:
        name: String, what could not.
        result: What `loupe_tf.evaluation.judge` returns, or without it.
    """
    return [
        f"{name}: volume {volume} left out, {problem}."
        for volume, problem in result.get("refused", {}).items()
    ]
