"""Scans along a trajectory, in `loupe-tf reconstruct`."""

import pathlib
import time

from loupe_tf import formats, report
from loupe_tf.checks import invalid
from loupe_tf.cli.reconstructing.inputs import Coils, content, print_whitened
from loupe_tf.cli.reconstructing.methods import (
    OF_CURVES,
    make_method,
)
from loupe_tf.cli.reconstructing.methods import OPTIONS as OF_METHODS
from loupe_tf.reconstruction import CurveNetwork
from loupe_tf.reconstruction.reconstruct import reconstruct

OPTIONS = ("leading", "select", "unit")


class Curves:
    """Rebuild scans along a trajectory.

    Args:
        options: `argparse.Namespace` of `loupe-tf reconstruct`.
    """

    def __init__(self, options):
        self.options = options
        self.method = (
            make_method(options, OF_CURVES)
            if options.method
            else CurveNetwork(options.model)
        )
        self.coils = Coils(options)
        self.settings = {
            **{
                name: getattr(options, name) for name in (*OPTIONS, *OF_METHODS)
            },
            "scale": options.scale,
            "method": options.method,
            "model": content(options.model),
            **self.coils.settings,
            "trajectory": content(options.trajectory, "own"),
            "matrix": options.matrix,
        }

    def rebuild(self, path):
        """Images of one file; their place in mm; and their record."""
        options = self.options
        given = {name: getattr(options, name) for name in OPTIONS}
        given = {name: x for name, x in given.items() if x is not None}
        if options.trajectory != "own":
            given["trajectory"] = options.trajectory
        with formats.load_samples(
            path, matrix=options.matrix, **given
        ) as volume:
            trajectory = volume.trajectory
            if trajectory.matrix is None:
                raise invalid(
                    "matrix",
                    "the size of the image, which the trajectory does not say "
                    "(--matrix H W)",
                    None,
                )
            white, maps, of_noise = self.coils.prepare(volume, path)
            begin = time.perf_counter()
            images = reconstruct(
                self.method,
                white,
                trajectory,
                maps,
                scale=options.scale,
                verbose=1,
                espirit_options=self.coils.espirit_options,
            )
            if trajectory.axes == 3:
                images = images[0]  # Its slices are along D.
            record = {
                "file": pathlib.Path(path).name,
                **of_noise,
                "shape": volume.shape,
                "matrix": trajectory.matrix,
                "seconds": time.perf_counter() - begin,
            }
            return images, (volume.field_of_view, volume.slice_spacing), record

    def print_table(self, records):
        """Print a row for each file."""
        header = ["file", "slices", "coils", "shots", "samples", "matrix"]
        rows = []
        for record in records:
            rows.append(
                [
                    record["file"],
                    *map(str, record["shape"]),
                    "×".join(map(str, record["matrix"])),
                    f"{record['seconds']:.1f}",
                ]
            )
        print(report.text_table([*header, "seconds"], rows))
        print_whitened(records)
