"""The measurements that `loupe-tf evaluate` simulates."""

import numpy as np

from loupe_tf.cli.measurement import ANGLE, NOISE, has_noise
from loupe_tf.evaluation.judging import to_complex
from loupe_tf.numpy_operators import forward, to_channels
from loupe_tf.simulation import add_noise, turned_maps


class OneByOne:
    """An array whose items along the first axis are made on demand.

    Args:
        make: Callable from an index to an item, always the same one.
        shape: Tuple of integers.
    """

    def __init__(self, make, shape):
        self.make = make
        self.shape = shape
        self.ndim = len(shape)

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, index):
        return self.make(index)


def simulate(settings, images):
    """Simulate maps of coils and noise, the same for each mask.

    Args:
        settings: Dict of the settings of `loupe-tf evaluate`.
        images: Dict of arrays `(n, H, W, 1 or 2)` by split.

    Returns:
        Dict by split: the keywords `maps` and `kspace` of
        `loupe_tf.evaluation.judge`, none for one coil without noise.
    """
    size = images["test"].shape[1:3]
    coils, seed = settings["coils"], settings["seed"]
    found = {}
    for number, (split, given) in enumerate(images.items()):
        found[split] = measured = {}
        if coils is not None:
            measured["maps"] = _maps(
                len(given), size, coils, [seed, number, ANGLE]
            )
        if has_noise(settings):
            measured["kspace"] = _noisy(
                given,
                measured.get("maps"),
                settings["snr"],
                settings["peak_snr"],
                [seed, number, NOISE],
            )
    return found


def _maps(count, size, coils, seed):
    """Maps of each image, at a random angle, as `CoilBatches` has them."""
    every = turned_maps(size, coils)
    angles = np.random.default_rng(seed).integers(len(every), size=count)
    return OneByOne(lambda i: every[angles[i]], (count, coils, *size))


def _noisy(images, maps, snr, peak_snr, seed):
    """K-space of all samples with receiver noise, `add_noise`."""

    def make(index):
        (image,) = to_complex(images[[index]])
        own_maps = None if maps is None else maps[index]
        everything = np.ones(image.shape, bool)
        kspace = forward(image, everything, own_maps)
        noisy = add_noise(to_channels(kspace), snr, [*seed, index], peak_snr)
        return (noisy[0, ..., 0] + 1j * noisy[0, ..., 1]).astype(np.complex64)

    count, *size, _ = images.shape
    coils = () if maps is None else maps.shape[1:2]
    return OneByOne(make, (count, *coils, *size))
