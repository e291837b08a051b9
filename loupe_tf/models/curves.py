import numpy as np
from keras import ops

from loupe_tf.checks import check_choice, check_integer, invalid
from loupe_tf.operators import Compensated, NonUniform, density_compensation
from loupe_tf.trajectories.trajectory import as_trajectory, check_matrix

# By this, in cycles per pixel, float32 may have rounded a position.
ROUNDING = 1e-5


class Curves:
    """The forward operators of a reconstructor for non-Cartesian scans.

    It is what `NCPDNet` and `NonUniformAdjointNetwork` share: the arguments
    below, and the operator `A`, `Aᴴ D` of examples.

    Args:
        size: Tuple `(H, W)`, size of the image.
        trajectory: (Optional) `Trajectory`, or positions
            `(shots, samples, 2)`, of all scans. Interpolation and D are then
            computed once, here. The positions that come with the samples must
            be these; others give NaN.
        density_compensation: Boolean or `"differentiable"`. If `False`, all
            samples have the same weight, by which the largest eigenvalue of
            `F^H D F` is 1 too. With `"differentiable"`, gradients flow through
            D to learned positions.
        accuracy: Float, as for `loupe_tf.operators.NonUniform`.
    """

    def __init__(
        self, size, trajectory=None, density_compensation=True, accuracy=1e-5
    ):
        self.size = tuple(check_integer("size", n, at_least=1) for n in size)
        if len(self.size) != 2:
            raise invalid("size", "(H, W), the size of the image", size)
        self.density_compensation = check_choice(
            *("density_compensation", density_compensation),
            (False, True, "differentiable"),
        )
        self.accuracy = accuracy
        self.trajectory = self._scan = self._density = None
        if trajectory is not None:
            if density_compensation == "differentiable":
                raise invalid(
                    "density_compensation",
                    "True or False with a trajectory, which is not learned",
                    density_compensation,
                )
            self.trajectory = as_trajectory(trajectory)
            check_matrix(self.trajectory, self.size)
            positions = self.trajectory.positions[None]
            self._scan = NonUniform(positions, self.size, accuracy=accuracy)
            density = self._weights(self._scan)
            self._density = ops.convert_to_numpy(density)

    def operator_inputs(self, positions, *maps):
        """Return positions, weights D and maps, which `operator` takes."""
        if self._scan is None:
            scan = NonUniform(positions, self.size, accuracy=self.accuracy)
            return [positions, self._weights(scan), *maps]
        own = self._scan.positions.astype("float32")
        if tuple(positions.shape[1:]) != own.shape[1:]:
            raise invalid(
                "positions",
                f"those of the reconstructor's trajectory, {own.shape}",
                found=f"shape={tuple(positions.shape)}",
            )
        apart = positions - own
        axes = tuple(range(1, len(own.shape)))
        apart = ops.max(ops.abs(apart - ops.round(apart)), axes)
        density = ops.convert_to_tensor(self._density)
        apart = ops.reshape(apart, (-1,) + (1,) * (len(density.shape) - 1))
        density = ops.where(apart < ROUNDING, density, np.nan)
        return [positions, density, *maps]

    def operator(self, positions, density, maps=None):
        """Make the operator of examples."""
        if self._scan is None:
            scan = NonUniform(positions, self.size, maps, self.accuracy)
        else:
            scan = self._scan.with_maps(maps)
        return Compensated(scan, density)

    def get_config(self):
        """Return the arguments, for Keras to store."""
        return {
            "size": list(self.size),
            "trajectory": self.trajectory and self.trajectory.get_config(),
            "density_compensation": self.density_compensation,
            "accuracy": self.accuracy,
        }

    def _weights(self, scan):
        return density_compensation(
            scan,
            "pipe" if self.density_compensation else "uniform",
            differentiable=self.density_compensation == "differentiable",
        )
