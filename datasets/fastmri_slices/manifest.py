"""Manifests, which assign volumes to splits."""

import json

import numpy as np

from loupe_tf.datasets.splits import SPLITS

# Slices of the subset of the 4S paper (Martinini et al., BioCAS 2022).
SLICES_4S = {"train": 1895, "validation": 188, "test": 186}


def parse(text, available):
    """Parse a user's manifest.

    Args:
        text: Bytes or string, JSON: a dict whose `"splits"` is a dict of lists
            of names of volumes, with or without `.h5`.
        available: Dict of all available volumes, `{name: path}`.

    Returns:
        A dict of lists of paths, `{split: [path, ...]}`, in the order of the
        manifest.
    """
    try:
        splits = json.loads(text)["splits"]
        if not all(isinstance(names, list) for names in splits.values()):
            raise TypeError("a split that is not a list")
        splits = {
            split: [name.removesuffix(".h5") for name in names]
            for split, names in splits.items()
        }
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            "Invalid manifest. Expected JSON of the form "
            '{"splits": {"train": ["file1000001", ...], ...}}. '
            f"Received: {type(error).__name__}: {error}"
        ) from error
    unknown = sorted(set(splits) - set(SPLITS))
    if unknown or not splits or not all(splits.values()):
        raise ValueError(
            f"Invalid manifest. Expected splits among {SPLITS}, none of them "
            f"empty. Received: { {k: len(v) for k, v in splits.items()} }"
        )
    seen = {}
    for split, names in splits.items():
        for name in names:
            if name in seen:
                raise ValueError(
                    "Invalid manifest. Expected each volume once, in one "
                    f"split. Received: {name} in {seen[name]} and {split}"
                )
            seen[name] = split
    absent = [name for name in seen if name not in available]
    if absent:
        raise ValueError(
            "Invalid manifest. Expected names of existing volumes. "
            f"Received: {len(absent)} missing: {', '.join(absent[:5])}"
            + (", ..." if len(absent) > 5 else "")
        )
    return {s: [available[n] for n in names] for s, names in splits.items()}


def choose_4s(train, held_out, seed=0):
    """Draw whole volumes for a subset of about the size of the 4S paper's.

    The paper does not name its volumes. Training volumes are drawn from one
    group, validation and test volumes from another. If patients are known,
    they are drawn by patient. The numbers of slices are as close to the
    paper's as whole volumes allow. If there are fewer slices, all three numbers
    are reduced by the same factor.

    Args:
        train: Dict of the volumes to train on, `{name: (slices, patient)}`. A
            patient `""` is unknown and counts as a separate patient.
        held_out: Dict of the other volumes.
        seed: Integer, the seed of the subset.

    Returns:
        A dict that JSON can store: `seed`, `splits` with lists of names, and
        `slices` with their numbers of slices.
    """
    wanted = dict(SLICES_4S)
    held_out_slices = wanted["validation"] + wanted["test"]
    factor = min(
        1.0,
        sum(n for n, _ in train.values()) / wanted["train"],
        sum(n for n, _ in held_out.values()) / held_out_slices,
    )
    wanted = {split: factor * n for split, n in wanted.items()}
    rng = np.random.default_rng(seed)
    patients = _by_patient(held_out)
    if not train or len(patients) < 2:
        raise ValueError(
            "Invalid source. Expected a volume for training, and volumes of "
            "two patients for validation and test. Received: "
            f"{len(train)} volumes and {len(patients)} patients"
        )
    chosen = {"train": _nearest(_by_patient(train), wanted["train"], rng)}
    # Keep at least one patient for the test split.
    names = _nearest(patients, wanted["validation"], rng, len(patients) - 1)
    chosen["validation"] = names
    rest = {n: v for n, v in held_out.items() if n not in names}
    chosen["test"] = _nearest(_by_patient(rest), wanted["test"], rng)
    volumes = {**train, **held_out}
    return {
        "seed": seed,
        "splits": {split: sorted(names) for split, names in chosen.items()},
        "slices": {
            split: sum(volumes[name][0] for name in names)
            for split, names in chosen.items()
        },
    }


def _by_patient(volumes):
    """A list with the number of slices and the volumes of each patient."""
    patients = {}
    for name in sorted(volumes):
        slices, patient = volumes[name]
        key = ("patient", patient) if patient else ("volume", name)
        total, names = patients.get(key, (0, ()))
        patients[key] = (total + slices, (*names, name))
    return list(patients.values())


def _nearest(patients, wanted, rng, most=None):
    """Volumes of patients whose slices sum to about `wanted`."""
    # All sums that can be reached, each with one way to reach it. The choice
    # is random, because the patients are in random order.
    reached = {0: ()}
    for i in rng.permutation(len(patients)):
        slices, _ = patients[i]
        for total in sorted(reached, reverse=True):
            way = reached[total]
            if total < wanted and (most is None or len(way) < most):
                reached.setdefault(total + slices, (*way, i))
        if round(wanted) in reached:
            break
    del reached[0]
    best = min(reached, key=lambda total: (abs(total - wanted), total))
    return [name for i in reached[best] for name in patients[i][1]]
