import keras

from loupe_tf.checks import check_number
from loupe_tf.on_import import register
from loupe_tf.trajectories.feasible import FeasibleCurves
from loupe_tf.trajectories.hardware import Hardware


@keras.saving.register_keras_serializable(package="loupe_tf")
class LimitPenalty(keras.regularizers.Regularizer):
    """Adds to the loss by how much curves exceed the limits of hardware.

    The penalty on the control points c of all shots is

        strength · Σ_j [|Δc_j| / speed - 1]₊ + [|Δ²c_j| / acceleration - 1]₊

    as in PILOT (Weiss et al., "PILOT: physics-informed learned optimized
    trajectories for accelerated MRI", MELBA 2021). Nothing makes the curves
    feasible in the end: `Hardware.check` says how far they are from it, and
    `FeasibleCurves` never breaks a limit.

    Args:
        strength: Number of at least 0, in units of the loss.
        hardware, voxel_size, dwell, unit: See `FeasibleCurves`.

    Input shape:
        `(shots, samples, axes)`, control points of the curves, see
        `control_points`, in cycles per pixel over `unit`.

    Example:

    >>> penalty = LimitPenalty(0.1, "prisma", (2.5, 2.5), dwell=1e-5)
    >>> loss = penalty(np.random.uniform(-0.4, 0.4, (8, 64, 2)))
    """

    def __init__(self, strength, hardware, voxel_size, dwell, unit=1.0):
        self.strength = check_number("strength", strength, at_least=0)
        self._of = FeasibleCurves(hardware, voxel_size, dwell, unit=unit)

    def __call__(self, curves):
        ops, limits = keras.ops, self._of.limits
        curves = ops.convert_to_tensor(curves, "float32")
        scale = ops.convert_to_tensor(limits.scale, "float32")
        first = ops.diff(self._of.unit * curves, axis=1) * scale
        second = ops.diff(first, axis=1)
        total = sum(
            ops.sum(ops.relu(self._size(values) / most - 1))
            for values, most in (
                (first, limits.speed),
                (second, limits.acceleration),
            )
        )
        return self.strength * total

    def _size(self, vectors):
        if self._of.limits.by == "axis":
            return keras.ops.abs(vectors)
        square = keras.ops.sum(vectors * vectors, axis=-1)
        # The root has no gradient at 0.
        return keras.ops.sqrt(keras.ops.maximum(square, 1e-20))

    def get_config(self):
        config = self._of.get_config()
        del config["pins"], config["iterations"]
        return {"strength": self.strength, **config}

    @classmethod
    def from_config(cls, config):
        config = {**config, "hardware": Hardware(**config["hardware"])}
        return cls(**config)


register(at_end_of="trajectories.limit_penalty")
