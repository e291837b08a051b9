import dataclasses

from loupe_tf.numpy_fourier import ifft2c
from loupe_tf.numpy_operators import adjoint, root_sum_of_squares
from loupe_tf.reconstruction.reconstructor import Reconstructor


@dataclasses.dataclass(frozen=True)
class ZeroFilled(Reconstructor):
    """Zero-filled reconstruction: the adjoint of the measurement.

    The result is `x = S^H F^H y`, complex64 `(H, W)`. Several coils without
    maps give the root of the sum of squares, float32. See `Reconstructor` for
    the arguments.

    Example:

    >>> image = loupe_tf.reconstruction.ZeroFilled()(kspace, mask)
    """

    needs_maps = False

    def reconstruct(self, kspace, mask, maps):
        if maps is None:
            return root_sum_of_squares(ifft2c(kspace))
        return adjoint(kspace, mask, maps)
