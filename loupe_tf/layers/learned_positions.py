import keras
import numpy as np
from keras import ops

from loupe_tf.checks import check_integer, check_number, invalid
from loupe_tf.layers.float32_layer import Float32Layer
from loupe_tf.trajectories.feasible import FeasibleCurves
from loupe_tf.trajectories.limit_penalty import LimitPenalty
from loupe_tf.trajectories.linear_constraint import Pins
from loupe_tf.trajectories.projection import EXTENT, mend, project
from loupe_tf.trajectories.spans import spans
from loupe_tf.trajectories.trajectory import as_trajectory
from loupe_tf.trajectories.waveforms import control_points, curve_positions


@keras.saving.register_keras_serializable(package="loupe_tf")
class LearnedPositions(Float32Layer):
    """Return the positions of curves that are learned.

    The weight w holds the control points of each shot. At the resolution
    `level` l they are smoothed first,

        c = U_l U_l⁺ w,    k_j = (c_{j-1} + 6 c_j + c_{j+1}) / 8

    where the columns of U_l are quadratic splines `2^l` samples apart, and U_0
    is the identity: a coarse curve bends as a whole, and finer ones begin where
    it has come to (Chaithya et al., "Hybrid learning of non-Cartesian k-space
    trajectory and MR image reconstruction networks", ISBI 2022). After
    each update, the weight is smoothed in the same way. With hardware, it is
    projected by `FeasibleCurves`, and shots that smoothing has moved beyond a
    limit are moved back.

    Args:
        start: `Trajectory` to begin with. With hardware, it must have `matrix`,
            `field_of_view` and `dwell`, and is projected at first.
        hardware: (Optional) `Hardware`, or one of the names of `HARDWARE`.
        echo: (Optional) index of the sample that all shots take at DC.
        levels: Integer, number of resolutions. The variable `level` begins at
            `levels - 1`; `loupe_tf.callbacks.CoarseToFine` lowers it.
        unit: Float, what 1 in the weight stands for, in cycles per pixel: under
            Adam, positions have `unit` times the learning rate of the network.
        iterations: Integer, see `FeasibleCurves`.
        penalty: (Optional) number. If given, the curves are not constrained to
            the limits; `loupe_tf.trajectories.LimitPenalty` of this strength is
            added to the loss instead. To compare with: nothing makes such
            curves feasible.

    Input shape:
        Any. Nothing of the input is read.

    Output shape:
        `(1, shots, samples, 2)`, (along H, along W), float32.
    """

    def __init__(
        self,
        start,
        hardware=None,
        echo=None,
        levels=1,
        unit=0.1,
        iterations=50,
        penalty=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.start = as_trajectory(start)
        shape = self.start.positions.shape
        if shape[-1] != 2:
            raise invalid("start", "a trajectory of two axes", self.start)
        self.levels = check_integer("levels", levels, at_least=1)
        self.unit = check_number("unit", unit, above=0)
        if echo is not None:
            # A NumPy integer could not be saved.
            echo = check_integer("echo", echo, at_least=0)
        self.echo = echo
        pins = {} if echo is None else {echo: (0, 0)}
        self.pins = Pins(shape[1], pins) if pins else None
        self.feasible = None
        if isinstance(hardware, dict):
            hardware = keras.saving.deserialize_keras_object(hardware)
        if isinstance(hardware, FeasibleCurves):
            hardware = hardware.hardware
        self.iterations = check_integer("iterations", iterations, at_least=1)
        self.penalty = penalty
        if penalty is not None:
            if hardware is None:
                raise invalid("penalty", "None without hardware", penalty)
            check_number("penalty", penalty, at_least=0)
        if hardware is not None:
            for name in ("matrix", "field_of_view", "dwell"):
                if getattr(self.start, name) is None:
                    raise invalid(name, "a known value, for hardware", None)
            self.feasible = FeasibleCurves(
                hardware,
                self.start.voxel_size,
                self.start.dwell,
                pins,
                iterations,
                unit,
            )
        self.constrained_level = None
        """On JAX: integer, at which level the constraint smooths, or `None`."""
        self._spans = spans(shape[1], self.levels, self.pins)

    def build(self, input_shape):
        curves = control_points(self.start.positions)
        if self.pins is not None:
            curves = self.pins.nearest(curves, np)
        if self.feasible is not None:
            curves = project(curves, self.feasible.limits, self.pins, 500)[0]
        self.level = None
        self.curves = self.add_weight(
            shape=curves.shape,
            initializer=lambda shape, dtype: ops.cast(
                curves / self.unit, dtype
            ),
            constraint=self._constrain,
            name="curves",
        )
        if self.levels > 1:
            self.level = self.add_weight(
                shape=(),
                dtype="int32",
                initializer=lambda shape, dtype: ops.cast(
                    self.levels - 1, dtype
                ),
                trainable=False,
                name="level",
            )

    def call(self, inputs):
        curves = self._control_points(ops.convert_to_tensor(self.curves))
        if self.penalty is not None:
            feasible = self.feasible
            penalty = LimitPenalty(
                self.penalty,
                feasible.hardware,
                feasible.voxel_size,
                feasible.dwell,
            )
            self.add_loss(penalty(curves))
        return curve_positions(curves, ops)[None]

    def _smoothed(self, curves, level):
        if level is None:
            return curves
        spans = ops.cast(self._spans, "float32")
        return ops.matmul(ops.take(spans, level, axis=0), curves)

    def _control_points(self, weight):
        curves = self.unit * weight
        if self.level is not None:
            curves = self._smoothed(curves, self.level)
            if self._projects:
                curves = mend(curves, self.feasible.limits, self.pins)
            else:  # The span may lead out of k-space again.
                curves = ops.clip(curves, -EXTENT, EXTENT)
        return curves

    @property
    def trajectory(self):
        """`Trajectory`, the positions as they are now, in float64."""
        curves = np.float64(ops.convert_to_numpy(self.curves)) * self.unit
        if self.level is not None:
            level = int(ops.convert_to_numpy(self.level))
            curves = self._spans[level] @ curves
            if self._projects:
                curves = mend(curves, self.feasible.limits, self.pins)
            else:
                curves = np.clip(curves, -EXTENT, EXTENT)
        provenance = {"pattern": "learned", "echo": self.echo}
        if self.feasible is not None:
            provenance["hardware"] = vars(self.feasible.hardware)
        provenance["start"] = self.start.provenance
        return self.start.replace(
            positions=curve_positions(curves), provenance=provenance
        )

    @property
    def _projects(self):
        return self.feasible is not None and self.penalty is None

    def _constrain(self, curves):
        """Bring curves back after an update.

        At a coarse level, an optimizer that scales each entry leaves the span.
        Nothing would hold what is invisible there, and the projection would pay
        for it.
        """
        curves = ops.convert_to_tensor(curves)
        level = self.level
        if keras.backend.backend() == "jax":  # Variables have no values there.
            level = self.constrained_level
        curves = self._smoothed(curves, level)
        if self._projects:
            return self.feasible(curves)
        if self.pins is not None:
            curves = self.pins.nearest(curves, ops)
        return ops.clip(curves, -EXTENT / self.unit, EXTENT / self.unit)

    def compute_output_shape(self, input_shape):
        return (1, *self.start.positions.shape)

    def get_config(self):
        hardware = self.feasible
        if hardware is not None:
            hardware = keras.saving.serialize_keras_object(hardware)
        return {
            **super().get_config(),
            "start": self.start.get_config(),
            "hardware": hardware,
            "echo": self.echo,
            "levels": self.levels,
            "unit": self.unit,
            "iterations": self.iterations,
            "penalty": self.penalty,
        }
