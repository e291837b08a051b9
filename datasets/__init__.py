"""Data sets: importing this module registers the TFDS builders.

There are three subpackages, and none imports another:

- `building` reads files as volumes and writes volumes as records. Support for
  further kinds of files belongs here.
- `feeding` turns records or arrays into batches for training: it reads, caches,
  augments, splits and orders them.
- `inspecting` looks for data crimes: it measures images and reports the effect
  on a learned mask.

The modules of this folder serve several subpackages and import none of them.
Each TFDS builder has its own folder, named so that TFDS finds it, with its
configuration and private helpers. `loupe_tf.formats` reads fastMRI's files.

Without TFDS there are no builders or builder configurations, and images come
only from arrays and files.
"""

from loupe_tf.datasets.building.simulate_fastmri import (
    write_fastmri_dataset,
    write_fastmri_volume,
)
from loupe_tf.datasets.building.write_fastmri_scan import write_fastmri_scan
from loupe_tf.datasets.feeding.arrays import (
    load_arrays,
    load_volumes,
    split_by_volume,
)
from loupe_tf.datasets.feeding.augment import Augment
from loupe_tf.datasets.feeding.coil_pipeline import coil_pipeline
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
    "coil_pipeline",
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
    "write_fastmri_scan",
    "write_fastmri_volume",
]
