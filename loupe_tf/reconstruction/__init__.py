"""Images from undersampled k-space: classical methods and trained networks.

Every reconstructor is called with k-space, the mask and, if there are any,
sensitivity maps, and returns an image. It does not depend on whether the mask
was learned. All of them take and return NumPy's complex arrays. Compressed
sensing and SENSE require sigpy (the extra `reconstruction`).
"""

from loupe_tf.numpy_operators import adjoint, forward
from loupe_tf.reconstruction.cg_sense import CgSense
from loupe_tf.reconstruction.choose_regularization import choose_regularization
from loupe_tf.reconstruction.compensated_adjoint import CompensatedAdjoint
from loupe_tf.reconstruction.curve_maps import curve_maps
from loupe_tf.reconstruction.curve_network import CurveNetwork
from loupe_tf.reconstruction.curve_reconstructor import CurveReconstructor
from loupe_tf.reconstruction.curve_total_variation import CurveTotalVariation
from loupe_tf.reconstruction.curve_wavelet_l1 import CurveWaveletL1
from loupe_tf.reconstruction.espirit import espirit_maps
from loupe_tf.reconstruction.grappa import Grappa
from loupe_tf.reconstruction.network import Network
from loupe_tf.reconstruction.prewhiten import Prewhitened, whitening_matrix
from loupe_tf.reconstruction.readout import crop_readout, pad_readout
from loupe_tf.reconstruction.reconstructor import Reconstructor
from loupe_tf.reconstruction.sense import Sense
from loupe_tf.reconstruction.total_variation import TotalVariation
from loupe_tf.reconstruction.wavelet_l1 import WaveletL1
from loupe_tf.reconstruction.zero_filled import ZeroFilled

__all__ = [
    "CgSense",
    "CompensatedAdjoint",
    "CurveNetwork",
    "CurveReconstructor",
    "CurveTotalVariation",
    "CurveWaveletL1",
    "Grappa",
    "Network",
    "Prewhitened",
    "Reconstructor",
    "Sense",
    "TotalVariation",
    "WaveletL1",
    "ZeroFilled",
    "adjoint",
    "choose_regularization",
    "crop_readout",
    "curve_maps",
    "espirit_maps",
    "forward",
    "pad_readout",
    "whitening_matrix",
]
