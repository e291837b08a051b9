"""Regimes: what a network learns from, besides pairs of scan and image."""

from loupe_tf.on_import import register
from loupe_tf.regimes.held_out_loss import held_out_loss
from loupe_tf.regimes.hold_out import HoldOut
from loupe_tf.regimes.regime import Regime, select
from loupe_tf.regimes.score_matching import ScoreMatching
from loupe_tf.regimes.split import split

__all__ = [
    "HoldOut",
    "Regime",
    "ScoreMatching",
    "held_out_loss",
    "select",
    "split",
]

register(at_end_of="regimes")  # Unless the import of Keras did it.
