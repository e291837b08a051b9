import keras
import numpy as np
from keras import ops

from loupe_tf.checks import check_integer, check_number, invalid
from loupe_tf.fixed_point import Anderson, Solver, gradient_of
from loupe_tf.fixed_point.solver import FLOAT32
from loupe_tf.models.unrolled import Unrolled

# Within a search, f must stay one function, and examples independent. Layers
# that draw at random are found by their generator, unless they draw nothing.
REFUSED = keras.layers.BatchNormalization, keras.layers.Dropout


@keras.saving.register_keras_serializable(package="loupe_tf")
class DeepEquilibrium(keras.Model):
    """Rebuild an image as the fixed point of an unrolled network's iteration.

    An unrolled network with shared weights applies one step f a fixed number of
    times. Its equilibrium is `x = f(x)`, as if there were infinitely many (Bai,
    Kolter and Koltun, "Deep equilibrium models", NeurIPS 2019; in imaging
    Gilton, Ongie and Willett, IEEE TCI 2021). A solver finds it for each
    example, and the gradient needs no iterate but the last, so memory does not
    depend on the number of iterations.

    f should contract. `SpectralConv2D` can hold the network to that. Otherwise
    watch `residual` and `rate`, non-trainable weights of this model: those of
    the worst example in the last batch of training (`FixedPoint`), and
    `largest_residual` and `largest_rate`, those of all batches since someone
    set them to 0. The callback `KeepContraction` does that in each epoch, logs
    them and returns to the last good weights.

    `set_limits` changes tolerance and iterations at any time, in a loaded or
    compiled model too.

    Args:
        unrolled: `Unrolled` with `shared=True`, such as `ProximalGradient` or
            `MoDL`. Its `iterations` do not matter. Layers that mix examples or
            draw at random are refused: batch normalisation and dropout.
        solver: (Optional) `loupe_tf.fixed_point.Solver`, by default
            `Anderson(tolerance=1e-3)`.
        gradient: `loupe_tf.fixed_point.Gradient` or a name of `GRADIENTS`;
            SHINE needs the solver `Broyden`. There is a gradient only with
            `training=True`.

    Inputs and output:
        As for the unrolled network.

    Raises:
        ValueError: If an argument is invalid, or a layer is refused.

    Example:

    ```python
    network = loupe_tf.models.cnn(
        (None, None, 2), filters=4, depth=3, normalization=None
    )
    model = loupe_tf.models.loupe_model(
        (320, 320, 1),
        acceleration=4,
        reconstructor=loupe_tf.models.DeepEquilibrium(
            loupe_tf.models.MoDL(network, solver_iterations=3)
        ),
    )
    ```
    """

    def __init__(self, unrolled, solver=None, gradient="phantom", **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        if not isinstance(unrolled, Unrolled) or not unrolled.shared:
            raise invalid(
                "unrolled", "an `Unrolled` network with shared=True", unrolled
            )
        if solver is None:
            solver = Anderson(tolerance=1e-3)
        if not isinstance(solver, Solver):
            raise invalid("solver", "a `Solver`, or None", solver)
        self.unrolled = unrolled
        self.solver = solver
        self.gradient = gradient_of(gradient)

    def build(self, input_shape):
        if not self.unrolled.built:
            self.unrolled.build(input_shape)
        _refuse_layers(self.unrolled)

        def number(name, value, dtype="float32"):
            return self.add_weight(
                shape=(),
                initializer=keras.initializers.Constant(value),
                trainable=False,
                dtype=dtype,
                name=name,
            )

        self.tolerance = number("tolerance", self.solver.tolerance)
        self.iterations = number("iterations", self.solver.iterations, "int32")
        self.residual = number("residual", 0)
        self.rate = number("rate", 0)
        self.steps = number("steps", 0)
        self.largest_residual = number("largest_residual", 0)
        self.largest_rate = number("largest_rate", 0)

    @property
    def needs_maps(self):
        """Whether maps have to be given for k-space of several coils."""
        return self.unrolled.needs_maps

    @property
    def sensitivities(self):
        """The layer that estimates the maps, or `None`."""
        return self.unrolled.sensitivities

    def set_limits(self, tolerance=None, iterations=None):
        """Change when the search ends, from now on.

        Args:
            tolerance: (Optional) float ≥ 1e-6.
            iterations: (Optional) integer ≥ 1, the largest number. `Broyden`
                goes on with its estimate when its memory is full.

        Raises:
            ValueError: If an argument is invalid, or before the model has
                been built; until then the solver's own limits hold.
        """
        if not self.built:
            raise ValueError(
                "`set_limits` needs a model that has been built. Call it on a "
                "measurement first, or give `tolerance` and `iterations` to "
                "its solver."
            )
        if tolerance is not None:
            self.tolerance.assign(
                check_number("tolerance", tolerance, at_least=FLOAT32, below=1)
            )
        if iterations is not None:
            self.iterations.assign(
                check_integer("iterations", iterations, at_least=1)
            )

    def search(self, inputs):
        """Return the `FixedPoint` for inputs, as it is found at inference."""
        inputs = [ops.convert_to_tensor(x) for x in inputs]
        if not self.built:
            self.build([tuple(x.shape) for x in inputs])
        scan, measured_by, kspace, _ = self.unrolled.measurement(inputs)
        return self._search(scan, measured_by, kspace, training=False)[0]

    def call(self, inputs, training=None):
        scan, measured_by, kspace, unit = self.unrolled.measurement(inputs)
        found, frozen = self._search(scan, measured_by, kspace, training)
        # Where k-space is not finite, there is nothing to search.
        lost = ops.logical_not(ops.isfinite(found.residual))
        unit = ops.where(_per_image(lost, kspace[:, 0]), np.nan, unit)
        if not training:
            return self.unrolled.finish(scan, found.value) * unit
        residual, rate = ops.max(found.residual), ops.max(found.rate)
        self.residual.assign(residual)
        self.rate.assign(rate)
        largest = self.largest_residual, self.largest_rate
        for variable, value in zip(largest, (residual, rate)):
            variable.assign(ops.maximum(variable.value, value))
        self.steps.assign(ops.mean(ops.cast(found.iterations, "float32")))
        variables = self.unrolled.variables
        values = [each.value for each in variables]
        moved = {}

        def function(x):
            # Each application begins with the same state of the layers, as
            # those of the search do. If it went on from the last, f would be
            # another function in each step of a phantom gradient.
            with keras.StatelessScope(
                zip(variables, values), collect_losses=True
            ) as scope:
                x = self._step(scan, kspace, x, training)
            for index, each in enumerate(variables):
                if not each.trainable:
                    moved[index] = scope.get_current_value(each)
            if scope.losses:
                self.add_loss(scope.losses)
            return x

        image = self.gradient(function, frozen, found)
        for index, value in moved.items():
            variables[index].assign(value)
        return self.unrolled.finish(scan, image) * unit

    def _step(self, scan, kspace, x, training):
        return self.unrolled.step(0, scan, kspace, x, training=training)[0]

    def _search(self, scan, measured_by, kspace, training):
        """Return the `FixedPoint`, and the step without gradients."""
        start = self.unrolled.start(scan, kspace)
        if len(start) > 1:
            raise invalid(
                "unrolled",
                "a network whose state is one tensor",
                found=f"{type(self.unrolled).__name__}, with {len(start)}",
            )
        if not all(network.built for network in self.unrolled.networks):
            # A loop cannot make weights.
            self._step(scan, kspace, start[0], training)
        stop = ops.stop_gradient
        variables = self.unrolled.variables
        # Copies: torch would see what is assigned before the gradient is taken.
        values = [stop(ops.copy(variable)) for variable in variables]
        stopped = self.unrolled.operator(*map(stop, measured_by)), stop(kspace)

        def frozen(x):
            with keras.StatelessScope(zip(variables, values)):
                return self._step(*stopped, x, training)

        found = self.solver(
            frozen,
            start[0],
            tolerance=stop(self.tolerance),
            iterations=stop(self.iterations),
        )
        return found, frozen

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {
            "name": self.name,
            "trainable": self.trainable,
            "unrolled": serialize(self.unrolled),
            "solver": serialize(self.solver),
            "gradient": serialize(self.gradient),
        }

    @classmethod
    def from_config(cls, config):
        parts = {
            key: keras.saving.deserialize_keras_object(config[key])
            for key in ("unrolled", "solver", "gradient")
        }
        return cls(**{**config, **parts})


def _refuse_layers(unrolled):
    for layer in unrolled._flatten_layers():
        draws = any(
            isinstance(value, keras.random.SeedGenerator)
            for value in vars(layer).values()
        )
        if draws or isinstance(layer, REFUSED):
            raise invalid(
                "unrolled",
                "a network without batch normalisation, dropout and noise, "
                "which would change the iteration during a search",
                found=f"layer {layer.name!r} ({type(layer).__name__})",
            )


def _per_image(values, image):
    """Give one value for each example as many axes as images have."""
    return ops.reshape(values, (-1,) + (1,) * (len(image.shape) - 1))
