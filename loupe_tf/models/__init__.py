"""Keras models: networks, reconstructors, and LOUPE with any of them."""

from loupe_tf.models.adjoint_network import AdjointNetwork
from loupe_tf.models.cnn import cnn
from loupe_tf.models.contracting_cnn import contracting_cnn
from loupe_tf.models.deep_equilibrium import DeepEquilibrium
from loupe_tf.models.encoder_decoder import encoder_decoder
from loupe_tf.models.fastmri_unet import fastmri_unet
from loupe_tf.models.freeze_mask import freeze_mask
from loupe_tf.models.load_fastmri_weights import load_fastmri_weights
from loupe_tf.models.loupe import Loupe
from loupe_tf.models.loupe_model import loupe_model
from loupe_tf.models.modl import MoDL
from loupe_tf.models.mwcnn import mwcnn
from loupe_tf.models.ncpdnet import NCPDNet
from loupe_tf.models.non_uniform_adjoint_network import (
    NonUniformAdjointNetwork,
)
from loupe_tf.models.norm_unet import norm_unet
from loupe_tf.models.pdnet import PDNet
from loupe_tf.models.proximal_gradient import ProximalGradient
from loupe_tf.models.reconstructor_of import reconstructor_of
from loupe_tf.models.resnet import resnet
from loupe_tf.models.score_network import ScoreNetwork
from loupe_tf.models.sensitivity_maps import SensitivityMaps
from loupe_tf.models.spectral_norm import SpectralNorm
from loupe_tf.models.total_variation_descent import TotalVariationDescent
from loupe_tf.models.u_resnet import u_resnet
from loupe_tf.models.unet import unet
from loupe_tf.models.unrolled import Unrolled
from loupe_tf.models.varnet import VarNet
from loupe_tf.models.wavelet_descent import WaveletDescent
from loupe_tf.models.xpdnet import XPDNet
from loupe_tf.on_import import register
from loupe_tf.samplers.with_binarization import with_binarization

__all__ = [
    "loupe_model",  # Where to begin.
    "Loupe",
    "AdjointNetwork",
    "DeepEquilibrium",
    "MoDL",
    "NCPDNet",
    "NonUniformAdjointNetwork",
    "PDNet",
    "ScoreNetwork",
    "SensitivityMaps",
    "SpectralNorm",
    "ProximalGradient",
    "TotalVariationDescent",
    "Unrolled",
    "VarNet",
    "WaveletDescent",
    "XPDNet",
    "cnn",
    "contracting_cnn",
    "encoder_decoder",
    "fastmri_unet",
    "freeze_mask",
    "load_fastmri_weights",
    "mwcnn",
    "norm_unet",
    "reconstructor_of",
    "resnet",
    "u_resnet",
    "unet",
    "with_binarization",
]

register(at_end_of="models")  # Unless the import of Keras did it.
