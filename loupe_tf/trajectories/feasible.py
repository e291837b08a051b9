import keras

from loupe_tf.on_import import register
from loupe_tf.trajectories.hardware import Hardware, standardize_hardware
from loupe_tf.trajectories.linear_constraint import Pins
from loupe_tf.trajectories.projection import project


@keras.saving.register_keras_serializable(package="loupe_tf")
class FeasibleCurves(keras.constraints.Constraint):
    """Keeps a weight of control points within the limits of hardware.

    Optimizers apply it after every update: see `project`. The projection begins
    anew each time, because a constraint has no state; from a feasible curve, a
    step of Adam of 1e-3 leaves the limits little enough for 50 iterations.
    Where such a step is as long as the acceleration allows, take 300: else each
    update leaves an excess, which `project` removes by shrinking the shot
    towards one point, its pin or the mean of its samples. Step by step, shots
    become smaller.

    Args:
        hardware: `Hardware`, or one of the names of `HARDWARE`.
        voxel_size: Tuple, size of a pixel of the image in mm, by axis.
        dwell: Float, time between two samples in seconds.
        pins: (Optional) dictionary from the index of a sample to its position,
            the same for all shots, such as `{64: (0, 0)}` for DC at the echo.
        iterations: Integer, number of iterations.
        unit: Float, what 1 in the weight stands for, in cycles per pixel.

    Input shape:
        `(shots, samples, axes)`, control points of the curves, see
        `control_points`, in cycles per pixel over `unit`.

    Example:

    >>> feasible = FeasibleCurves("prisma", (2.5, 2.5), dwell=1e-5)
    >>> curves = feasible(np.random.uniform(-0.4, 0.4, (8, 64, 2)))
    """

    def __init__(
        self,
        hardware,
        voxel_size,
        dwell,
        pins=None,
        iterations=50,
        unit=1.0,
    ):
        self.hardware = standardize_hardware(hardware)
        self.voxel_size = tuple(voxel_size)
        self.dwell = dwell
        self.pins = {
            int(index): tuple(map(float, position))
            for index, position in dict(pins or {}).items()
        }
        self.iterations = iterations
        self.unit = unit
        self.limits = self.hardware.limits(self.voxel_size, dwell)
        """`Limits`, in cycles per pixel."""

    def __call__(self, curves):
        pins = None
        if self.pins:
            pins = Pins(curves.shape[1], self.pins)
        curves = self.unit * keras.ops.convert_to_tensor(curves, "float32")
        curves = project(curves, self.limits, pins, self.iterations)[0]
        return curves / self.unit

    def get_config(self):
        hardware = self.hardware
        return {
            "hardware": {
                name: getattr(hardware, name)
                for name in (
                    "max_gradient",
                    "max_slew",
                    "raster",
                    "by",
                    "gamma",
                )
            },
            "voxel_size": self.voxel_size,
            "dwell": self.dwell,
            "pins": list(self.pins.items()),
            "iterations": self.iterations,
            "unit": self.unit,
        }

    @classmethod
    def from_config(cls, config):
        config = {**config, "hardware": Hardware(**config["hardware"])}
        return cls(**config)


register(at_end_of="trajectories.feasible")
