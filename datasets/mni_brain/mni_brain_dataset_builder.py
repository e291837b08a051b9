"""TFDS builder of the data set `mni_brain`."""

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from loupe_tf.datasets.mni_brain import simulate
from loupe_tf.datasets.mni_brain.mni_brain_config import MniBrainConfig
from loupe_tf.datasets.splits import SPLITS


def _named(size):
    config = MniBrainConfig(size)
    config.name = str(size)
    return config


class Builder(tfds.core.GeneratorBasedBuilder):
    """Simulated MR images of the brain, which need no download.

    Examples are ordered by volume and slice, from feet to head, and have these
    features:

    - `image`: float32 of shape `(size, size, 1)`, in `[0, 1]`. Each volume is
        divided by its own maximum.
    - `volume`, `subject`: strings. A subject is in one split only, and has one
        volume.
    - `slice`: int32, the index of the slice in its volume, from 0.
    - `contrast`: string, `"T1"`, `"T2"`, `"PD"` or `"FLAIR"`.
    - `max`: float32, the maximum by which the volume was divided.
    - `voxel_size`: float32 of shape `(3,)`, the distance between slices, rows
        and columns in mm.
    """

    # Set these paths, because TFDS would look inside `loupe_tf/`, where this
    # file is not.
    code_path = epath.Path(__file__)
    pkg_dir_path = code_path.parent

    VERSION = tfds.core.Version("1.1.0")
    RELEASE_NOTES = {"1.0.0": "Initial release.", "1.1.0": "Voxel sizes."}
    BUILDER_CONFIGS = [_named(size) for size in (320, 128, 96, 64)]

    def _info(self):
        size = self.builder_config.size
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Tensor(
                        shape=(size, size, 1),
                        dtype=np.float32,
                        encoding="bytes",
                    ),
                    "volume": tfds.features.Text(),
                    "subject": tfds.features.Text(),
                    "slice": tfds.features.Scalar(np.int32),
                    "contrast": tfds.features.Text(),
                    "max": tfds.features.Scalar(np.float32),
                    "voxel_size": tfds.features.Tensor(
                        shape=(3,), dtype=np.float32
                    ),
                }
            ),
            homepage="https://nilearn.github.io",
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager):
        templates = simulate.load_templates()
        return {
            split: self._generate_examples(templates, split)
            for split in self.builder_config.subjects
        }

    def _generate_examples(self, templates, split):
        config = self.builder_config
        voxel_size = simulate.voxel_size(config.size, config.slices)
        contrasts = tuple(simulate.CONTRASTS)
        for i in range(config.subjects[split]):
            subject = f"{split}_{i:03d}"
            contrast = contrasts[i % len(contrasts)]
            volume = simulate.simulate_volume(
                templates,
                # A subject depends neither on other subjects nor on the size.
                seed=(config.seed, SPLITS.index(split), i),
                contrast=contrast,
                size=config.size,
                slices=config.slices,
            )
            maximum = volume.max()
            for j, image in enumerate(volume / maximum):
                yield (
                    i * config.slices + j,
                    {
                        "image": image[..., None],
                        "volume": f"{subject}_{contrast}",
                        "subject": subject,
                        "slice": j,
                        "contrast": contrast,
                        "max": maximum,
                        "voxel_size": voxel_size,
                    },
                )
