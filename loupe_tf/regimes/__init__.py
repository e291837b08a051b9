"""Regimes: what a network learns from, besides pairs of scan and image."""

from loupe_tf.on_import import register
from loupe_tf.regimes.distillation import Distillation
from loupe_tf.regimes.from_scans import FromScans
from loupe_tf.regimes.held_out_loss import held_out_loss
from loupe_tf.regimes.hold_out import HoldOut
from loupe_tf.regimes.k_band import KBand
from loupe_tf.regimes.regime import Regime, select
from loupe_tf.regimes.score_matching import ScoreMatching
from loupe_tf.regimes.split import split
from loupe_tf.regimes.within import Within
from loupe_tf.regimes.zero_shot import zero_shot

__all__ = [
    "Distillation",
    "FromScans",
    "HoldOut",
    "KBand",
    "Regime",
    "ScoreMatching",
    "Within",
    "held_out_loss",
    "select",
    "split",
    "zero_shot",
]

register(at_end_of="regimes")  # Unless the import of Keras did it.
