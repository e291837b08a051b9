"""The methods of `loupe-tf reconstruct` that need no model, by name."""

import dataclasses
import inspect

from loupe_tf.evaluation import CLASSICAL, OF_COILS
from loupe_tf.reconstruction import (
    CgSense,
    CompensatedAdjoint,
    CurveTotalVariation,
    espirit_maps,
)
from loupe_tf.reconstruction.sigpy_problem import import_sigpy

OF_CURVES = {
    "adjoint": CompensatedAdjoint(),
    "cg_sense": CgSense(),
    "total_variation": CurveTotalVariation(0.005),
}
OPTIONS = ("iterations", "regularization")
ESPIRIT_OPTIONS = ("threshold", "crop")


def of_masks():
    """Return the methods for scans with a mask, those of `CLASSICAL` first."""
    return {**CLASSICAL, **OF_COILS}


def having(option):
    """Return the methods that have an option of `OPTIONS`, by name."""
    every = {**of_masks(), **OF_CURVES}
    return {name: each for name, each in every.items() if hasattr(each, option)}


def defaults(option):
    """Return the default value of an option for each method, in words."""
    return ", ".join(
        f"{name} {getattr(method, option):g}"
        for name, method in having(option).items()
    )


def espirit_default(option):
    """Return the default of one of `ESPIRIT_OPTIONS`, in words."""
    return f"{inspect.signature(espirit_maps).parameters[option].default:g}"


def make_method(options, methods):
    """Make the reconstructor that the options name.

    Args:
        options: `argparse.Namespace` of `loupe-tf reconstruct`.
        methods: Dict, `of_masks()` or `OF_CURVES`.

    Raises:
        ImportError: If the method needs a package that is not installed.
    """
    method = methods[options.method]
    if method.needs_sigpy:
        # Said at once, not after the maps of the first scan.
        import_sigpy()
    given = {name: getattr(options, name) for name in OPTIONS}
    given = {name: value for name, value in given.items() if value is not None}
    return dataclasses.replace(method, **given) if given else method
