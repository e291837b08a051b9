"""Images that a network is tested on without training."""

import pathlib

import numpy as np

import loupe_tf


def other_data(data, settings, splits):
    """Load images of another contrast or anatomy.

    Args:
        data: String: a file or folder, of which every volume is tested, or the
            name of a TFDS data set, of which the test split is. With folds,
            all its splits are.
        settings: Dict with `data_dir` and `folds`.
        splits: Dict of `Slices`. Patients of its training and validation
            splits, by name, are left out.

    Returns:
        `Slices`.
    """
    datasets = loupe_tf.datasets
    if pathlib.Path(data).exists():
        return datasets.Slices(*datasets.load_volumes(data))
    others, _ = datasets.load_splits(data, settings["data_dir"])
    found = others["test"]
    if settings.get("folds") is not None:
        found = datasets.pool(others)
    known = [
        part.patients
        for name, part in splits.items()
        if name != "test" and part.patients is not None
    ]
    if found.patients is not None and known:
        found = found.select(~np.isin(found.patients, np.concatenate(known)))
    size = splits["test"].images.shape[1:3]
    if found.images.shape[1:3] != size or not len(found.images):
        raise loupe_tf.checks.invalid(
            "transfer",
            f"images of {size} of patients without training",
            found=f"{data} with {found}, shape={found.images.shape}",
        )
    return found
