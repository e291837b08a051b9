"""Data sets: importing this module registers the TFDS builders.

There are three wings, and none of them imports another:

- `building`, from volumes to records: what reads a kind of file as a volume, or
  writes volumes as records. Here belong further kinds of files.
- `feeding`, from records to batches: what reads records or arrays, keeps,
  changes, splits or orders them for a training.
- `inspecting`, looking for data crimes: what is measured in images, and what it
  does to a learned mask.

Beside them lies what two of them need, and imports none. Above them each TFDS
builder has a folder, by whose name TFDS finds it, with its configuration and
what it alone needs. What reads fastMRI's files is in `loupe_tf.formats`.

Where TFDS is not installed there are no builders, and no configurations of
them: images come from arrays and files alone.
"""

from loupe_tf.datasets.building.simulate_fastmri import (
    write_fastmri_dataset,
    write_fastmri_volume,
)
from loupe_tf.datasets.feeding.arrays import (
    load_arrays,
    load_volumes,
    split_by_volume,
)
from loupe_tf.datasets.feeding.augment import Augment
from loupe_tf.datasets.feeding.folds import fold, pool
from loupe_tf.datasets.feeding.load_splits import Slices, load_splits
from loupe_tf.datasets.feeding.pipeline import pipeline
from loupe_tf.datasets.inspecting.inspection import inspect, warn_of_data_crimes
from loupe_tf.formats.bad_volume import BadVolumeError

try:
    import tensorflow_datasets  # noqa: F401
except ModuleNotFoundError as error:
    if error.name != "tensorflow_datasets":
        raise
else:
    import loupe_tf.datasets.fastmri_slices.fastmri_slices_dataset_builder  # noqa: E501
    import loupe_tf.datasets.mni_brain.mni_brain_dataset_builder
    import loupe_tf.datasets.mri_volumes.mri_volumes_dataset_builder  # noqa: F401, E501
    from loupe_tf.datasets.fastmri_slices.fastmri_slices_config import (
        FastmriSlicesConfig,
    )
    from loupe_tf.datasets.mni_brain.mni_brain_config import MniBrainConfig
    from loupe_tf.datasets.mri_volumes.mri_volumes_config import (
        MriVolumesConfig,
    )

__all__ = [
    "Augment",
    "BadVolumeError",
    "FastmriSlicesConfig",
    "MniBrainConfig",
    "MriVolumesConfig",
    "Slices",
    "fold",
    "inspect",
    "load_arrays",
    "load_splits",
    "load_volumes",
    "pipeline",
    "pool",
    "split_by_volume",
    "warn_of_data_crimes",
    "write_fastmri_dataset",
    "write_fastmri_volume",
]
