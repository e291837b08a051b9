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


def make_method(options, methods):
    """Make the reconstructor that the options name.

    Args:
        options: `argparse.Namespace` of `loupe-tf reconstruct`.
        methods: `OF_MASKS` or `OF_CURVES`.
    """
    kind, arguments = methods[options.method]
    given = {name: getattr(options, name) for name in OPTIONS}
    given = {name: value for name, value in given.items() if value is not None}
    return kind(**{**arguments, **given})
