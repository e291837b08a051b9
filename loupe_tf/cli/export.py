"""`loupe-tf export`: a trained model as ONNX or SavedModel."""

import argparse

from loupe_tf.command_line import stands_for

DESCRIPTION = """\
Write a trained model, from k-space that was measured to the image, as a file
that runs without this package: ONNX (for which the extra `onnx` is needed) or
a TensorFlow SavedModel. Its inputs and outputs are described in it.
"""

EXAMPLES = """\
examples:
  for ONNX Runtime:
    loupe-tf export model.keras model.onnx
  a folder for TensorFlow Serving, for several coils with their maps:
    loupe-tf export model.keras served/1 --maps
"""


def add(commands):
    """Add the command."""
    export = commands.add_parser(
        "export",
        help="write a model as ONNX or SavedModel",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    export.add_argument("model", metavar="MODEL", help="file, .keras")
    out = export.add_argument(
        "out", metavar="OUT", help=".onnx file, or folder of a SavedModel"
    )
    stands_for(out, "path")
    export.add_argument(
        "--maps",
        action="store_true",
        help="take k-space of several coils, and their sensitivity maps",
    )
    export.set_defaults(run=run)


def run(options):
    """Run the command."""
    # Models first: Keras must know their layers.
    from loupe_tf import models  # noqa: F401
    from loupe_tf.export import export_model

    export_model(options.model, options.out, maps=options.maps)
    print(options.out)
