"""Files of other toolboxes: masks, trajectories, raw k-space and images."""

from loupe_tf.cfl import read_cfl, write_cfl
from loupe_tf.formats.coil_files import load_coils
from loupe_tf.formats.image_files import save_image
from loupe_tf.formats.kspace_files import load_kspace
from loupe_tf.formats.kspace_volume import KspaceVolume
from loupe_tf.formats.noise_files import load_noise
from loupe_tf.formats.sample_files import load_samples
from loupe_tf.formats.sample_volume import SampleVolume
from loupe_tf.masks.files.mask_files import save_mask
from loupe_tf.masks.files.pulseq_sequence import pulseq_sequence
from loupe_tf.masks.sampling_mask import load_mask
from loupe_tf.reading import BadFileError, memory_limit, set_memory_limit
from loupe_tf.trajectories.files.trajectory_files import save_trajectory
from loupe_tf.trajectories.files.trajectory_sequence import (
    trajectory_sequence,
)
from loupe_tf.trajectories.trajectory import load_trajectory

__all__ = [
    "BadFileError",
    "KspaceVolume",
    "SampleVolume",
    "load_coils",
    "load_kspace",
    "load_mask",
    "load_noise",
    "load_samples",
    "load_trajectory",
    "memory_limit",
    "pulseq_sequence",
    "read_cfl",
    "save_image",
    "save_mask",
    "save_trajectory",
    "trajectory_sequence",
    "set_memory_limit",
    "write_cfl",
]
