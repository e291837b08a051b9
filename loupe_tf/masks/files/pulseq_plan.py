"""What a Pulseq protocol encodes, for masks of lines and of points."""

import dataclasses

from loupe_tf.checks import check_integer, check_number, invalid

THICKNESS = 5.0
"""Thickness of the slice of a mask of lines, in mm, by default."""


@dataclasses.dataclass
class Encoding:
    """A phase encoding: `count` steps over a field of view in m.

    Step `i` is at `(i - count // 2) / view`, in 1/m, and has the label.
    """

    label: str
    count: int
    view: float

    def at(self, step):
        """Area of the gradient of a step, in 1/m."""
        return (step - self.count // 2) / self.view

    @property
    def largest(self):
        """Area of the largest gradient, in 1/m."""
        return max(self.count // 2, 1) / self.view


@dataclasses.dataclass
class Plan:
    """Sizes of read-out (`x`), phase encodings and excitation; lengths in m.

    The receiver takes `oversampling` times as many samples. `encodings` has
    the phase encodings by axis, in the order of the columns of the entries.
    `spoiling` has the area that each axis adds after the read-out, in 1/m.
    `sharpness` is the product of duration and bandwidth of the pulse.
    """

    samples: int
    read_view: float
    encodings: dict
    thickness: float
    spoiling: dict
    oversampling: int = 1
    sharpness: int = 4

    @property
    def received(self):
        """Number of samples of a read-out that the receiver takes."""
        return self.samples * self.oversampling


def plan_of(mask, readout, slice_thickness, oversampling):
    """Return the plan for a mask.

    Args:
        mask: `SamplingMask` whose matrix and field of view are known.
        readout: `None` for lines, `(samples, mm)` for points.
        slice_thickness: Float, in mm, or `None` for the default.
        oversampling: Positive integer.

    Raises:
        ValueError: If an argument is invalid, or `readout` is missing for
            points or given for lines.
    """
    if slice_thickness is not None:
        check_number("slice_thickness", slice_thickness, above=0)
    check_integer("oversampling", oversampling, at_least=1)
    plan = _lines if mask.lines else _points
    return plan(mask, readout, slice_thickness, oversampling)


def _lines(mask, readout, slice_thickness, oversampling):
    """One slice, with `y` along the lines that the mask chooses from."""
    if readout is not None:
        raise invalid(
            "readout",
            "None for a mask of lines, whose read-out has the matrix and the "
            "field of view of the mask",
            readout,
        )
    along, phase = (0, 1) if mask.lines == "columns" else (1, 0)
    view = [size / 1000 for size in mask.field_of_view]
    thickness = _metres(slice_thickness, THICKNESS)
    # Two cycles across a pixel, and four across a slice.
    spoiling = {"x": 2 * mask.matrix[along] / view[along], "z": 4 / thickness}
    return Plan(
        mask.matrix[along],
        view[along],
        {"y": Encoding("LIN", mask.matrix[phase], view[phase])},
        thickness,
        spoiling,
        oversampling,
    )


def _points(mask, readout, slice_thickness, oversampling):
    """One slab, with `y` along H and `z` along W."""
    samples, along = _standardize_readout(readout)
    height, width = (size / 1000 for size in mask.field_of_view)
    return Plan(
        samples,
        along,
        {
            "y": Encoding("LIN", mask.shape[0], height),
            "z": Encoding("PAR", mask.shape[1], width),
        },
        _metres(slice_thickness, mask.field_of_view[1]),
        # Two cycles across a pixel. A slab is many pixels thick.
        {"x": 2 * samples / along},
        oversampling,
        # What the edges of a slab excite outside the field of view folds in.
        sharpness=8,
    )


def _metres(given, usual):
    """A length that is given in mm, or the usual one."""
    return (usual if given is None else given) / 1000


def _standardize_readout(readout):
    """Return the number of samples, and the field of view in m."""
    expected = (
        "(samples, mm) of the read-out, the third axis of the scan, which a "
        "mask of points does not contain, such as (256, 256); on the command "
        "line, `loupe-tf mask convert points.npz scan.seq --readout 256 256`"
    )
    try:
        samples, millimetres = readout
        samples = check_integer("readout", samples, at_least=1)
        millimetres = check_number("readout", millimetres, above=0)
    except (TypeError, ValueError) as error:
        raise invalid("readout", expected, readout) from error
    return samples, millimetres / 1000
