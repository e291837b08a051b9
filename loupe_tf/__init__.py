"""Learn which samples of k-space an MRI scanner should take, in Keras.

`loupe_tf.datasets` is not imported here: `import loupe_tf.datasets` registers
the TFDS builders, and takes a moment.
"""

import pathlib
import sys

# The command-line tool needs NumPy alone, and does not wait for Keras.
if pathlib.PurePath((getattr(sys, "argv", None) or [""])[0]).stem != "loupe-tf":
    from loupe_tf import (
        comparison,
        distribution,
        evaluation,
        experiments,
        formats,
        fourier,
        layers,
        losses,
        masks,
        metrics,
        models,
        plots,
        reconstruction,
        report,
        runs,
        simulation,
    )
    from loupe_tf.export import export_model
    from loupe_tf.reconstruct import reconstruct

    from loupe_tf import callbacks  # isort: skip  (it uses the others)

from loupe_tf.version import __version__

__all__ = [
    "__version__",
    "callbacks",
    "comparison",
    "distribution",
    "evaluation",
    "experiments",
    "export_model",
    "formats",
    "fourier",
    "layers",
    "losses",
    "masks",
    "metrics",
    "models",
    "plots",
    "reconstruct",
    "reconstruction",
    "report",
    "runs",
    "simulation",
]
