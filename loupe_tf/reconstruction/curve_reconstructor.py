import numpy as np

from loupe_tf.checks import invalid
from loupe_tf.numpy_operators import (
    check_complex,
    root_sum_of_squares,
    to_channels,
)
from loupe_tf.trajectories.trajectory import Trajectory


class CurveReconstructor:
    """Base of reconstructors of non-Cartesian scans.

    They are functions of samples, trajectory and maps. A subclass implements
    `solve(scan, density, samples)`: from a `loupe_tf.operators.NonUniform`
    with maps, the weights of `loupe_tf.operators.density_compensation` and the
    samples `(batch, coils, shots, samples, 2)` to images
    `(batch, H, W, 1 or 2)`.

    Call arguments:
        samples: Complex array `(shots, samples)` or
            `(coils, shots, samples)`.
        trajectory: `Trajectory` with a matrix, the size of the image.
        maps: Sensitivity maps, complex array `(coils, H, W)`, or `None`.
            Several coils without maps give the root of the sum of squares of
            coil images.

    Returns:
        Array `(H, W)`, or `(D, H, W)` for trajectories of three axes;
        complex64, or float32 for magnitudes.

    Raises:
        ValueError: If arguments do not fit each other, or if samples are not
            finite.

    Example:

    ```python
    class Blurred(loupe_tf.reconstruction.CurveReconstructor):
        def solve(self, scan, density, samples):
            return scan.adjoint(samples)
    ```
    """

    needs_maps = False
    """Whether combining several coils requires maps."""

    needs_sigpy = False
    """Whether the method requires sigpy (the extra `reconstruction`)."""

    needs_scale = False
    """Whether samples should have the unit of training data."""

    def __call__(self, samples, trajectory, maps=None):
        return self.prepare(trajectory)(samples, maps)

    def prepare(self, trajectory):
        """Return a function from samples and maps to the image.

        What depends only on the trajectory is computed once: the operator and
        its density compensation.
        """
        from loupe_tf.operators import NonUniform, density_compensation

        if not isinstance(trajectory, Trajectory) or trajectory.matrix is None:
            raise invalid(
                "trajectory",
                "a `Trajectory` with a matrix, the size of the image; "
                "`trajectory.replace(matrix=(H, W))` gives it one",
                trajectory,
            )
        size = trajectory.matrix
        scan = NonUniform(trajectory.positions[None], size)
        density = density_compensation(scan)
        expected = trajectory.positions.shape[:2]

        def apply(samples, maps=None):
            samples = check_complex("samples", samples)
            if samples.ndim not in (2, 3) or samples.shape[-2:] != expected:
                raise invalid(
                    "samples",
                    f"shape {expected}, or with an axis of coils before, as "
                    "the trajectory has",
                    found=f"shape={samples.shape}",
                )
            if not np.isfinite(samples).all():
                raise invalid("samples", "finite values", found="NaN or inf")
            samples = samples.reshape(-1, *expected)
            maps = self._maps(maps, (len(samples), *size))
            if maps is None:
                # Each coil is an example of one coil.
                inputs = to_channels(samples)[0][:, None]
                images = _to_complex(self.solve(scan, density, inputs))
                return (
                    root_sum_of_squares(images)
                    if len(images) > 1
                    else (images[0])
                )
            seen = scan.with_maps(to_channels(maps))
            images = self.solve(seen, density, to_channels(samples))
            return _to_complex(images)[0]

        return apply

    def solve(self, scan, density, samples):
        """Return images, see the class."""
        raise NotImplementedError

    def _maps(self, maps, shape):
        if maps is None:
            if shape[0] > 1 and self.needs_maps:
                raise invalid(
                    "maps",
                    f"sensitivity maps {shape}, which {type(self).__name__} "
                    "needs for several coils; `curve_maps` estimates them",
                    None,
                )
            return None
        maps = np.asarray(maps)
        if maps.shape != shape or not np.iscomplexobj(maps):
            raise invalid(
                "maps",
                f"complex sensitivity maps of shape {shape}",
                found=f"shape={maps.shape}, dtype={maps.dtype}",
            )
        return maps


def _to_complex(images):
    """Return images `(batch, ..., 1 or 2)` as arrays `(batch, ...)`."""
    from keras import ops

    images = ops.convert_to_numpy(images).astype(np.float32)
    if images.shape[-1] == 1:
        return images[..., 0]
    return (images[..., 0] + 1j * images[..., 1]).astype(np.complex64)
