import keras

from loupe_tf.layers import LearnedPositions
from loupe_tf.samplers.sampler import Sampler
from loupe_tf.trajectories.trajectory import check_matrix


@keras.saving.register_keras_serializable(package="loupe_tf")
class LearnedTrajectory(Sampler):
    """Curves through k-space that are learned, within hardware limits.

    The layer is `LearnedPositions`, with the name `sampled_trajectory`.
    `loupe_tf.trajectories.from_model` reads what a model has learned.

    Args:
        start: `Trajectory` to begin with, such as spokes or the result of
            `loupe_tf.trajectories.sparkling`. If it has a `matrix`, the images
            must have this size.
        hardware, echo, levels, unit, iterations, penalty: See
            `loupe_tf.layers.LearnedPositions`.

    Example:

    >>> spokes = loupe_tf.trajectories.radial(
    ...     8, 64, matrix=(32, 32), field_of_view=(220, 220), dwell=2e-5
    ... )
    >>> sampler = LearnedTrajectory(spokes, "prisma", echo=32)
    >>> model = loupe_tf.models.loupe_model(
    ...     (32, 32, 1), sampler=sampler, filters=4, depth=1
    ... )
    """

    curves = True

    def __init__(
        self,
        start,
        hardware=None,
        echo=None,
        levels=1,
        unit=0.1,
        iterations=50,
        penalty=None,
    ):
        # The layer judges its arguments.
        layer = LearnedPositions(
            start, hardware, echo, levels, unit, iterations, penalty
        )
        config = layer.get_config()
        names = (
            *("start", "hardware", "echo", "levels"),
            *("unit", "iterations", "penalty"),
        )
        self._config = {name: config[name] for name in names}
        self.field_of_view = layer.start.field_of_view

    def __call__(self, reference):
        layer = LearnedPositions(**self._config, name="sampled_trajectory")
        check_matrix(layer.start, reference.shape[-3:-1])
        return layer(reference)

    def get_config(self):
        return self._config
