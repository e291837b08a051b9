"""The methods of `loupe-tf reconstruct` that need no model, by name."""

from loupe_tf.reconstruction import (
    CgSense,
    CompensatedAdjoint,
    Grappa,
    Sense,
    TotalVariation,
    WaveletL1,
    ZeroFilled,
)
from loupe_tf.reconstruction.sigpy_problem import import_sigpy

# What is usual, where the class itself has no default or none at all.
OF_MASKS = {
    "zero_filled": (ZeroFilled, {}),
    "sense": (Sense, {"regularization": 0.01}),
    "grappa": (Grappa, {}),
    "wavelet_l1": (WaveletL1, {"regularization": 0.005}),
    "total_variation": (TotalVariation, {"regularization": 0.005}),
}
OF_CURVES = {"adjoint": (CompensatedAdjoint, {}), "cg_sense": (CgSense, {})}
OPTIONS = ("iterations", "regularization")
NEED_SIGPY = (Sense, TotalVariation, WaveletL1)


def make_method(options, methods):
    """Make the reconstructor that the options name.

    Args:
        options: `argparse.Namespace` of `loupe-tf reconstruct`.
        methods: `OF_MASKS` or `OF_CURVES`.

    Raises:
        ImportError: If the method needs a package that is not installed.
    """
    kind, arguments = methods[options.method]
    if issubclass(kind, NEED_SIGPY):
        # Said at once, not after the maps of the first scan.
        import_sigpy()
    given = {name: getattr(options, name) for name in OPTIONS}
    given = {name: value for name, value in given.items() if value is not None}
    return kind(**{**arguments, **given})
