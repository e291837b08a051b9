import hashlib
import pathlib

from loupe_tf import reading
from loupe_tf.checks import check_choice
from loupe_tf.reconstruction.network import load_model

FOLDER = pathlib.Path(__file__).parent / "weights"


def names(folder=FOLDER):
    """Return the names of all trained models, sorted.

    Args:
        folder: Path of the folder with models and cards. By default that of
            the package.

    Returns:
        A list of strings.

    Example:

    >>> for name in loupe_tf.zoo.names():
    ...     print(name, loupe_tf.zoo.card(name)["mask"]["acceleration"])
    flair64_points_r4_unet 4.0
    flair64_points_r4_varnet 4.0
    flair64_points_r8_unet 8.0
    """
    return sorted(path.stem for path in pathlib.Path(folder).glob("*.json"))


def card(name, folder=FOLDER):
    """Return the card of a trained model: what it is, and where from.

    Args:
        name: String, one of `names()`.
        folder: As for `names`.

    Returns:
        A dictionary:

        - `"title"`: string.
        - `"data"`: dictionary of strings: `name`, `citation`, `licence`,
          `splits` (the patients and slices of each).
        - `"preprocessing"`: string, what an image must be like.
        - `"mask"`: dictionary: `acceleration`, `achieved_acceleration`,
          `acquired`, `shape`, `calibration`, `lines` and whether it was
          `learned`.
        - `"metrics"`: dictionary: the `convention`, and by test volume the
          results of `loupe_tf.evaluation.per_volume` of the model (`model`)
          and of zero filling with its mask (`zero_filled`).
        - `"training"`: dictionary: `command`, `seed`, `epochs`, `settings` and
          versions.
        - `"parameters"`: integer, the weights of the reconstructor.
        - `"licence"`: string, that of the weights.
        - `"file"`, `"sha256"`, `"bytes"`: name, checksum and size of the file.

    Raises:
        ValueError: If there is no such model, or if the card is damaged.

    Example:

    >>> print(loupe_tf.zoo.card("flair64_points_r4_unet")["data"]["licence"])
    CC BY
    """
    check_choice("name", name, names(folder))
    path = pathlib.Path(folder) / f"{name}.json"
    with reading.naming(path, "a card of the zoo"):
        found = reading.parse_json(reading.read_text(path))
        missing = {"file", "sha256", "data", "mask", "metrics"} - set(found)
        if missing:
            raise ValueError(f"It lacks {sorted(missing)}")
    return found


def load(name, folder=FOLDER):
    """Load a trained model. Nothing is downloaded.

    The file is compared with the checksum of its card, and loaded in Keras's
    safe mode, without compiling: a file cannot run code.

    Args:
        name: String, one of `names()`.
        folder: As for `names`.

    Returns:
        A `loupe_tf.models.Loupe`, which `loupe_tf.masks.from_model` and
        `loupe_tf.reconstruct` take. Outputs on TensorFlow, JAX and torch are
        the same to 1e-5.

    Raises:
        ValueError: If there is no such model, or if its file is damaged or
            another one than the card says.
        FileNotFoundError: If its file is missing.

    Example:

    >>> model = loupe_tf.zoo.load("flair64_points_r4_unet")
    >>> mask = loupe_tf.masks.from_model(model)
    >>> mask.shape, mask.acquired
    ((64, 64), 1024)
    """
    facts = card(name, folder)
    path = pathlib.Path(folder) / pathlib.Path(facts["file"]).name
    with reading.naming(path, f"the model of the card {name}"):
        reading.check_file(path)
        found = sha256(path)
        if found != facts["sha256"]:
            raise ValueError(
                f"Its SHA-256 is {found}, the card's {facts['sha256']}"
            )
    return load_model(path)


def sha256(path):
    """Return the SHA-256 of a file in hexadecimal digits."""
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()
