"""Configuration of the data set `mni_brain`."""

import tensorflow_datasets as tfds

from loupe_tf.checks import check_integer, invalid
from loupe_tf.datasets.splits import SPLITS


class MniBrainConfig(tfds.core.BuilderConfig):
    """Size, number and seed of the simulated brain images.

    Example:

    ```python
    config = MniBrainConfig(size=100, subjects={"train": 8, "test": 2})
    builder = tfds.builder("mni_brain", config=config)
    builder.download_and_prepare()
    ```

    The name of the configuration is also the name of the data folder. It
    contains all settings, so two different configurations never share a
    folder.

    Args:
        size: Integer, the number of rows and of columns of an image, at least
            16. The field of view is 220 mm for every size. Defaults to `320`.
        slices: Integer, the number of axial slices per subject. Defaults to
            `16`.
        subjects: Dict with the number of subjects in each split. Its keys are
            `"train"`, `"validation"` or `"test"`. Defaults to
            `{"train": 24, "validation": 4, "test": 6}`.
        seed: Integer, at least 0. Another seed gives other subjects. Defaults
            to `0`.
    """

    def __init__(self, size=320, slices=16, subjects=None, seed=0):
        if subjects is None:
            subjects = {"train": 24, "validation": 4, "test": 6}
        if (
            not isinstance(subjects, dict)
            or not subjects
            or not set(subjects) <= set(SPLITS)
        ):
            raise invalid(
                "subjects", f"a dict whose keys are among {SPLITS}", subjects
            )
        self.size = check_integer("size", size, at_least=16)
        self.slices = check_integer("slices", slices, at_least=1)
        self.seed = check_integer("seed", seed, at_least=0)
        self.subjects = {
            split: check_integer(f"subjects[{split!r}]", subjects[split], 1)
            for split in SPLITS
            if split in subjects
        }
        counts = "_".join(f"{s}{n}" for s, n in self.subjects.items())
        super().__init__(
            name=f"{self.size}_slices{self.slices}_{counts}_seed{self.seed}",
            description=f"Images of {self.size} x {self.size} pixels.",
        )
