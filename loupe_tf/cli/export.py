"""`loupe-tf export`: a trained model as ONNX or SavedModel."""

from loupe_tf.cli.vocabulary import add_command
from loupe_tf.command_line import stands_for

DOC = """\
Write a trained model as ONNX or as a TensorFlow SavedModel.

examples:
  for ONNX Runtime; the extra `onnx` is needed:
    loupe-tf export runs/demo/model.keras model.onnx
  a folder for TensorFlow Serving; a model for several coils takes their maps:
    loupe-tf export runs/lines/model.keras served/1

The file computes the image from measured k-space, and runs without this
package. Its inputs and outputs are described in it.
"""


def add(commands):
    """Add the command."""
    export = add_command(
        commands,
        "export",
        "write a model as ONNX or SavedModel",
        DOC,
        "MODEL OUT",
    )
    export.add_argument("model", metavar="MODEL", help="trained model (.keras)")
    out = export.add_argument(
        "out", metavar="OUT", help=".onnx file, or folder of a SavedModel"
    )
    stands_for(out, "path")
    export.add_argument(
        "--maps",
        action="store_true",
        help="take k-space of any number of coils, and their sensitivity maps, "
        "as a model that was trained with --coils does by itself",
    )
    export.set_defaults(run=run)


def run(options):
    """Run the command."""
    # Models first: Keras must know their layers.
    from loupe_tf import models  # noqa: F401
    from loupe_tf.export import export_model

    export_model(options.model, options.out, maps=options.maps)
    print(options.out)
