"""Configuration of the data set `fastmri_slices`."""

import hashlib
import pathlib

import tensorflow_datasets as tfds

from loupe_tf.checks import check_choice, check_integer, invalid

# The folders of each kind and a description of their slices.
KINDS = {
    "knee_singlecoil": (
        "singlecoil",
        "Magnitude images of knees, each volume divided by its maximum.",
    ),
    "knee_singlecoil_4s": (
        "singlecoil",
        "As knee_singlecoil: a subset of about the size of the 4S paper's.",
    ),
    "knee_singlecoil_kspace": (
        "singlecoil",
        "Emulated single-coil k-space of knees, with reconstructions.",
    ),
    "knee_multicoil": (
        "multicoil",
        "Multi-coil k-space of knees, with reconstructions.",
    ),
    "brain_multicoil": (
        "multicoil",
        "Multi-coil k-space of brains, with reconstructions.",
    ),
}
MAGNITUDE = ("knee_singlecoil", "knee_singlecoil_4s")


class FastmriSlicesConfig(tfds.core.BuilderConfig):
    """Kind, size and files of the fastMRI slices.

    Example:

    ```python
    config = FastmriSlicesConfig("knee_singlecoil", manifest="my_split.json")
    builder = tfds.builder("fastmri_slices", config=config)
    builder.download_and_prepare()
    ```

    The name of the configuration is also the name of the data folder. It
    differs for different settings; with the defaults it is `kind`.

    Args:
        kind: String, one of `"knee_singlecoil"`, `"knee_singlecoil_4s"`,
            `"knee_singlecoil_kspace"`, `"knee_multicoil"` and
            `"brain_multicoil"`.
        size: Integer, the rows and columns of a magnitude image. Larger images
            are cropped around their centre; a volume of smaller images is bad.
            k-space keeps its acquired size and takes no `size`. Defaults to
            `320`.
        manifest: Optional path of a JSON file that assigns volumes to splits,
            `{"splits": {"train": ["file1000001", ...], "test": [...]}}`. The
            volumes may come from any folder with reconstructions.
        seed: Integer, at least 0, the seed for drawing the volumes of
            `"knee_singlecoil_4s"`. Not used with a `manifest`. Defaults to
            `0`.
    """

    def __init__(self, kind, size=None, manifest=None, seed=0):
        check_choice("kind", kind, KINDS)
        if kind in MAGNITUDE:
            size = 320 if size is None else size
            check_integer("size", size, at_least=1)
        elif size is not None:
            raise invalid(
                "size",
                f"None for {kind}, whose k-space keeps its acquired size",
                size,
            )
        check_integer("seed", seed, at_least=0)
        self.kind = kind
        self.size = size
        self.seed = seed
        self.manifest = None
        name = kind if size in (None, 320) else f"{kind}_{size}"
        if manifest is not None:
            # Read it once, so that the data match the name.
            try:
                self.manifest = pathlib.Path(manifest).read_bytes()
            except OSError as error:
                raise invalid(
                    "manifest",
                    "the path of a JSON file",
                    found=f"manifest={manifest} ({error})",
                ) from error
            digest = hashlib.sha256(self.manifest).hexdigest()
            name = f"{name}_manifest_{digest[:8]}"
        elif seed:
            name = f"{name}_seed{seed}"
        super().__init__(name=name, description=KINDS[kind][1])
