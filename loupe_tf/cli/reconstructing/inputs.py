"""Files that `loupe-tf reconstruct` reads beside scans."""

import hashlib
import pathlib
import warnings

from loupe_tf import formats, reading
from loupe_tf.cfl import pair
from loupe_tf.checks import invalid
from loupe_tf.cli.reconstructing.methods import ESPIRIT_OPTIONS
from loupe_tf.formats.noise_files import count_noise, load_noise
from loupe_tf.reconstruction.prewhiten import Prewhitened, whiten_maps


def load_maps(path):
    """Sensitivity maps of a file; `None` and `"espirit"` as they are."""
    if path in (None, "espirit"):
        return path
    if pathlib.Path(path).suffix == ".npy":
        return reading.load_npy(path)
    return formats.load_coils(path)


class Coils:
    """What is done to the coils of a scan, and their maps.

    Args:
        options: `argparse.Namespace` of `loupe-tf reconstruct`.

    Attributes:
        settings: Dict of the options, for the folder.
        espirit_options: Dict of arguments of `espirit_maps`, or `None`.
    """

    def __init__(self, options):
        self.noise = options.noise
        self.maps = load_maps(options.maps)
        names = [f"espirit_{name}" for name in ESPIRIT_OPTIONS]
        self.settings = {
            **{name: getattr(options, name) for name in names},
            "maps": content(options.maps, "espirit"),
            "noise": content(options.noise, "own"),
        }
        given = {
            name.removeprefix("espirit_"): getattr(options, name)
            for name in names
            if getattr(options, name) is not None
        }
        self.espirit_options = given or None

    @property
    def later(self):
        """The settings that runs of older versions lack, at their defaults."""
        new = ("noise", "espirit_threshold", "espirit_crop")
        return [name for name in new if self.settings[name] is None]

    def prepare(self, volume, path):
        """Whiten the coils of a volume, if there is noise for it.

        Args:
            volume: `KspaceVolume`.
            path: Its path.

        Returns:
            A tuple of three: volume, maps, and a dict for the record.
        """
        count = 0
        if self.noise in (None, "own") and volume.shape[1] > 1:
            count = count_noise(path)
        if self.noise == "own" and not count:
            raise invalid(
                "noise",
                "a file of noise, since only ISMRMRD files of several coils "
                "may have noise of their own",
                found=f"own, and {path} has none",
            )
        if self.noise is None:
            if count:
                warnings.warn(
                    f"{count} noise acquisitions are not used. Give `noise` "
                    "own to whiten the coils with them.",
                    stacklevel=2,
                )
            return volume, self.maps, {}
        noise = load_noise(path if self.noise == "own" else self.noise)
        white, maps = Prewhitened(volume, noise), self.maps
        if maps is not None and not isinstance(maps, str):
            maps = whiten_maps(white.matrix, maps)
        return white, maps, {"noise_samples": noise.shape[1]}


def print_whitened(records):
    """Say of which scans the coils were whitened.

    Args:
        records: List of dicts.
    """
    counts = {
        record["file"]: record["noise_samples"]
        for record in records
        if "noise_samples" in record
    }
    for name, count in counts.items():
        print(
            f"{name}: the coils are whitened with {count} noise samples; the "
            "images have the unit of the noise."
        )


def content(path, *words):
    """Return the hash of a file for the settings; return words unchanged."""
    if path in (None, *words):
        return path
    digest = hashlib.sha256()
    for file in files_of(path):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def files_of(path):
    """Return the files that a path stands for: BART has two, data last."""
    path = pathlib.Path(path)
    return pair(path) if path.suffix in (".cfl", ".hdr") else [path]
