"""Small trained models that come with the package, each with its card.

Nothing is downloaded: the weights are files of the package.
"""

from loupe_tf.zoo.models import card, load, names

__all__ = ["card", "load", "names"]
