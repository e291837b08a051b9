import keras
from keras import ops

from loupe_tf.checks import check_choice, check_integer, check_number, invalid
from loupe_tf.layers.float32_layer import Float32Layer
from loupe_tf.layers.logit_uniform import LogitUniform

LINES = (None, "columns", "rows")


@keras.saving.register_keras_serializable(package="loupe_tf")
class ProbMask(Float32Layer):
    """Trainable probability that each sample of k-space is acquired.

    `S = σ(t·γ)` is the probability mask of LOUPE (Bahadir et al., IEEE TCI
    2020) and of section II of the 4S paper (Martinini et al., BioCAS 2022).
    The logits γ are the only weights.

    The output depends only on the shape of the input. It has no batch axis,
    and a NaN in an image cannot reach it.

    Args:
        slope: Positive float t. It is a constant that 4S does not change.
        lines: `None` for a mask of points, with a logit for each entry;
            `"columns"` for a mask `(1, W)` of whole columns of k-space;
            `"rows"` for a mask `(H, 1)` of whole rows.
        initializer: Initializer of the logits. By default the probabilities
            are uniform in [0.01, 0.99].
        seed: Integer or `None`, seed of the default initializer.
        groups: `None` for one mask, or the number G of masks, for instance
            one for each contrast or slice group.

    Input shape:
        `(..., H, W, C)`.

    Output shape:
        `(1, H, W, 1)`, `(1, 1, W, 1)` or `(1, H, 1, 1)`, float32 in [0, 1],
        with DC at `(H // 2, W // 2)`. With groups, the first axis is G.
    """

    def __init__(
        self,
        slope=5.0,
        lines=None,
        initializer=None,
        seed=None,
        groups=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if groups is not None:
            groups = check_integer("groups", groups, at_least=1)
        self.slope = check_number("slope", slope, above=0)
        self.groups = groups
        self.lines = check_choice("lines", lines, LINES)
        self.seed = seed
        if initializer is None:
            initializer = LogitUniform(self.slope, seed=seed)
        self.initializer = keras.initializers.get(initializer)

    def build(self, input_shape):
        height, width = self.compute_output_shape(input_shape)[1:3]
        if height is None or width is None:
            raise invalid(
                "input_shape",
                "known H and W, because each sample has a logit",
                input_shape,
            )
        self.logits = self.add_weight(
            name="logits",
            shape=(*([self.groups] if self.groups else []), height, width),
            initializer=self.initializer,
            autocast=False,
        )

    def call(self, inputs):
        prob = ops.sigmoid(self.slope * self.logits)
        return ops.expand_dims(prob, -1 if self.groups else (0, -1))

    def compute_output_shape(self, input_shape):
        height, width = input_shape[-3:-1]
        if self.lines == "columns":
            height = 1
        elif self.lines == "rows":
            width = 1
        return (self.groups or 1, height, width, 1)

    def get_config(self):
        return {
            **super().get_config(),
            "slope": self.slope,
            "lines": self.lines,
            "initializer": keras.initializers.serialize(self.initializer),
            "seed": self.seed,
            "groups": self.groups,
        }
