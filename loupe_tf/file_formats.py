"""Tables of file formats, such as those of masks and of trajectories."""

import dataclasses
import pathlib
from collections.abc import Callable

from loupe_tf.checks import check_choice, invalid


@dataclasses.dataclass(frozen=True)
class Format:
    """A format of files that hold masks, or trajectories.

    Attributes:
        save: Function `(mask, path, **options)` that writes a `SamplingMask`,
            or `(trajectory, path, **options)`.
        load: Function `(path, **options)`. For masks, it returns a pair: a
            dictionary, the arguments of `SamplingMask`, and a boolean, whether
            the file says that DC is in the centre. For trajectories, it
            returns the arguments of `Trajectory`.
        suffixes: Suffixes of paths in this format, such as `(".csv",)`.
        holds: String, one line of description for the command-line help.
        takes: Function that `save` passes its further options on to, if
            there is one.
        needs: Function without arguments that raises `ImportError` if the
            package that `save` needs is missing.
    """

    save: Callable
    load: Callable
    suffixes: tuple = ()
    holds: str = ""
    takes: Callable | None = None
    needs: Callable | None = None

    @property
    def functions(self):
        """The functions that get the options of `save`."""
        return [self.save] if self.takes is None else [self.takes, self.save]


def names_by_suffix(formats):
    """Return a dictionary from suffix to name of the format.

    Args:
        formats: Dictionary of `Format`s by name.
    """
    return {s: name for name, f in formats.items() for s in f.suffixes}


def find_format(formats, path, name=None):
    """Return the name of the format of a path, by default that of its suffix.

    Args:
        formats: Dictionary of `Format`s by name.
        path: Path of the file.
        name: (Optional) name of the format.

    Raises:
        ValueError: If there is no such format, or none for the suffix.
    """
    if name is None:
        known = names_by_suffix(formats)
        name = known.get(pathlib.Path(path).suffix.lower())
        if name is None:
            suffixes = ", ".join(known)
            raise invalid(
                "path",
                f"a path that ends in one of {suffixes}, or a `format`",
                found=f"path={path}",
            )
    return check_choice("format", name, formats)
