import dataclasses

import numpy as np

from loupe_tf.checks import check_integer, invalid
from loupe_tf.datasets.feeding.load_splits import Slices
from loupe_tf.datasets.splits import SPLITS


def pool(splits):
    """Join the splits of a data set.

    Args:
        splits: Dict of `Slices`, as returned by `load_splits`.

    Returns:
        The `Slices` of all splits, in the order of `splits`. An attribute that
        is unknown in one split, such as `patients`, is unknown in the result.
    """
    parts = list(splits.values())
    columns = {
        f.name: [getattr(part, f.name) for part in parts]
        for f in dataclasses.fields(Slices)
    }
    return Slices(
        **{
            name: None
            if any(part is None for part in values)
            else np.concatenate(values)
            for name, values in columns.items()
        }
    )


def fold(slices, index, folds):
    """Split slices for one fold of a cross-validation by patient.

    Patients are dealt to the folds in the order of their names, so that every
    patient is tested in exactly one fold. The next fold is the validation
    split, and all other folds are the training split.

    Example:

    ```python
    patients = np.repeat(["a", "b", "c", "d"], 5)
    slices = loupe_tf.datasets.Slices(
        images=np.zeros((20, 64, 64, 1), "float32"),
        volumes=patients,
        patients=patients,
    )
    for index in range(4):
        parts = loupe_tf.datasets.fold(slices, index, folds=4)
    ```

    Args:
        slices: `Slices` with known `patients`.
        index: Integer in [0, folds), the fold to test.
        folds: Integer ≥ 3, at most the number of patients.

    Returns:
        A dict of `Slices` by `"train"`, `"validation"` and `"test"`.

    Raises:
        ValueError: If patients are unknown, or if there are fewer patients
            than folds.
    """
    folds = check_integer("folds", folds, at_least=3)
    index = check_integer("index", index, at_least=0)
    if index >= folds:
        raise invalid("index", f"a number below folds={folds}", index)
    if slices.patients is None:
        raise invalid(
            "slices",
            "slices of known patients, because volumes of one patient must "
            "not be in both the training and the test split",
            found=f"{slices} without patients. Build the data set with "
            "--patient, or train without folds",
        )
    names = np.unique(slices.patients)
    if len(names) < folds:
        advice = (
            f"Use {len(names)} folds"
            if len(names) >= 3
            else "Train without folds, on the splits of the data set"
        )
        raise invalid(
            "folds",
            f"at most the number of patients, {len(names)}",
            found=f"folds={folds}. {advice}",
        )
    place = {name: rank % folds for rank, name in enumerate(names)}
    places = np.array([place[name] for name in slices.patients])
    tested, validated = places == index, places == (index + 1) % folds
    rows = ~(tested | validated), validated, tested
    return {
        split: slices.select(row)
        for split, row in zip(SPLITS, rows, strict=True)
    }
