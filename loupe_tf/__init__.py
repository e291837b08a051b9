"""Learn which samples of k-space an MRI scanner should acquire, in Keras.

Begin with `models.loupe_model`, which builds a mask and a network to be trained
by `fit`; `callbacks.SelfShrinkingSigmoidSlope`, for that training;
`masks.from_model`, which reads the learned mask; and `reconstruct`, which
rebuilds an image from a scan.

Submodules, and with them Keras, are imported when they are first used.
`import loupe_tf` takes no time and is enough for `keras.models.load_model`.
`import loupe_tf.datasets` registers the TFDS builders.
"""

import importlib
import sys
import typing

from loupe_tf import on_import
from loupe_tf.version import __version__

if typing.TYPE_CHECKING:  # For editors and readers.
    from loupe_tf import (
        callbacks,
        command_line,
        datasets,
        distribution,
        evaluation,
        fixed_point,
        formats,
        fourier,
        layers,
        losses,
        masks,
        metrics,
        models,
        operators,
        plots,
        posterior,
        provenance,
        reconstruction,
        regimes,
        report,
        run_folder,
        samplers,
        simulation,
        trajectories,
        zoo,
    )
    from loupe_tf.export import export_model
    from loupe_tf.reconstruction.reconstruct import reconstruct

__all__ = [
    "__version__",
    "callbacks",
    "command_line",
    "datasets",
    "distribution",
    "evaluation",
    "export_model",
    "fixed_point",
    "formats",
    "fourier",
    "layers",
    "losses",
    "masks",
    "metrics",
    "models",
    "operators",
    "plots",
    "posterior",
    "provenance",
    "reconstruct",
    "reconstruction",
    "regimes",
    "report",
    "run_folder",
    "samplers",
    "simulation",
    "trajectories",
    "zoo",
]

# Modules of the functions that are exported here.
FUNCTIONS = {
    "export_model": "loupe_tf.export",
    "reconstruct": "loupe_tf.reconstruction.reconstruct",
}


def __getattr__(name):
    if name in FUNCTIONS:
        return getattr(importlib.import_module(FUNCTIONS[name]), name)
    if name in __all__:
        return importlib.import_module(f"loupe_tf.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})


if "keras" in sys.modules:
    on_import.register()
