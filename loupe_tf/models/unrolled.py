import functools
import numbers

import keras
from keras import ops

from loupe_tf import layers
from loupe_tf.checks import check_integer, invalid
from loupe_tf.models.independent import independent
from loupe_tf.models.unet import unet
from loupe_tf.operators import Cartesian
from loupe_tf.recomputed import recomputed


class Unrolled(keras.Model):
    """Base of networks that unroll the iterations of a reconstruction.

    An unrolled network alternates steps towards the measurement with steps of
    a learned network, a fixed number of times. This class has everything
    but these steps: a network for each iteration or one for all, the
    sensitivity maps, the scale, and memory. A subclass implements

    - `default_network(size)`, the network if none is given;
    - `start(scan, kspace)`, the state before the first iteration, a tuple of
      tensors;
    - `step(index, scan, kspace, *state, training=None)`, one iteration, which
      calls `self.network_at(index)` with `training` and returns the next state;
    - `finish(scan, *state)`, the image `(batch, ..., H, W, 2)`, or
      `(batch, ..., H, W, 1)` for a magnitude;
    - `unet_channels(...)`, if `with_unet` should give the network other
      channels than those of one complex image; `unet_defaults` has further
      arguments of the class that are its defaults.

    `scan` is a `loupe_tf.operators.Cartesian` with the example's mask and maps.
    In training, masks are between 0 and 1 and `kspace` is `M ∘ F x`, so the
    residual `M ∘ F x - kspace` is 0 for the true image. For a scan of another
    kind, a subclass implements `operator_inputs` and `operator` too, as
    `NCPDNet` does.

    Args:
        network: Keras layer or model, the learned part of an iteration. Its
            inputs and outputs depend on the subclass. `None` builds the
            subclass's default for the size of k-space.
        iterations: Integer ≥ 1, the number of iterations.
        shared: Boolean. If `True`, all iterations have the same weights.
            Otherwise the first has `network` and the others have copies of it
            with weights of their own.
        sensitivities: (Optional) layer from `[kspace, mask, *maps]` to maps
            `(batch, coils, ..., H, W, 2)` that are used instead, such as
            `SensitivityMaps`. By default the given maps are used.
        normalize: Boolean. If `True`, k-space is divided by the root mean
            square of the example's adjoint image, and the result multiplied by
            it. A scanner's unit then does not matter.
        half_plane: Boolean. If `True`, k-space and mask are first filled from
            their mirror; see `FillMirror`. Only for one coil and images
            without phase.
        checkpointing: Boolean. If `True`, training keeps only the state
            between iterations and computes the activations within each again
            for its gradient (Chen et al., "Training deep nets with sublinear
            memory cost", 2016). Results are the same.

    Inputs:
        `[kspace, mask]` or `[kspace, mask, maps]`, as for `AdjointNetwork`.

    Output shape:
        `(batch, ..., H, W, 2)`, or the shape of `finish`; float32.
    """

    unet_defaults = {}

    def __init__(
        self,
        network=None,
        iterations=10,
        shared=False,
        sensitivities=None,
        normalize=True,
        half_plane=False,
        checkpointing=False,
        **kwargs,
    ):
        super().__init__(**{"dtype": "float32", **kwargs})
        if network is not None and not isinstance(network, keras.layers.Layer):
            raise invalid("network", "a Keras layer or model, or None", network)
        self.network = network
        self.iterations = check_integer("iterations", iterations, at_least=1)
        self.shared = shared
        self.sensitivities = sensitivities
        self.normalize = normalize
        self.half_plane = half_plane
        self.checkpointing = checkpointing
        self.fill_mirror = layers.FillMirror() if half_plane else None
        self.networks = [] if network is None else self._copies(network)

    @classmethod
    def with_unet(
        cls,
        size,
        *,
        filters=8,
        depth=3,
        dropout=0.0,
        iterations=5,
        shared=False,
        normalize=True,
        **kwargs,
    ):
        """Build the network with a U-Net in each iteration.

        The U-Net is a `unet` with instance normalisation and the channels that
        the class needs. Its last convolution starts at zero, so it changes
        nothing at first. The defaults are those of `loupe-tf train`; those of
        the class itself are its paper's.

        Args:
            size: Tuple `(H, W)`, the size of images and k-space, or
                `(D, H, W)` for volumes; at least `2 ** (depth - 1)` each.
            filters: Integer ≥ 1, channels of the U-Net at the finest scale.
            depth: Integer ≥ 1, its number of scales.
            dropout: Float in [0, 1), its dropout in training.
            iterations: Integer ≥ 1, the number of iterations.
            shared: Boolean. If `False`, each iteration has a U-Net with
                weights of its own.
            normalize: Boolean, as for `Unrolled`.
            **kwargs: Further arguments of the class, such as `buffers` of
                `XPDNet`. `solver_iterations` of `MoDL` is 4 by default here.

        Returns:
            An object of the class.

        Raises:
            ValueError: If an argument is invalid, or if `size` is too small
                for the depth.
            NotImplementedError: If the class has no network, as
                `TotalVariationDescent`, or no settings for a U-Net, as
                `NCPDNet`.

        Example:

        ```python
        modl = loupe_tf.models.MoDL.with_unet((320, 320), filters=8)
        model = loupe_tf.models.loupe_model(
            (320, 320, 1), acceleration=4, reconstructor=modl
        )
        ```
        """
        size = _check_size(size, check_integer("depth", depth, at_least=1))
        kwargs = {**cls.unet_defaults, **kwargs}
        inputs, outputs = cls.unet_channels(**kwargs)
        network = unet(
            (*size, inputs),
            output_channels=outputs,
            filters=filters,
            depth=depth,
            dropout=dropout,
            # Batches are small, and their statistics differ between iterations.
            normalization="instance",
        )
        return cls(
            network=network,
            iterations=iterations,
            shared=shared,
            normalize=normalize,
            **kwargs,
        )

    @classmethod
    def unet_channels(cls, **kwargs):
        """Return the input and output channels of `with_unet`'s network.

        Args:
            **kwargs: The further arguments of `with_unet`.
        """
        return 2, 2

    def build(self, input_shape):
        """Build the default networks, for k-space of this size."""
        size = tuple(input_shape[0][2:-1])
        if not self.networks:
            self.networks = self._copies(self.default_network(size))

    def default_network(self, size):
        """Make the network for k-space of size `(H, W)`."""
        raise NotImplementedError

    def start(self, scan, kspace):
        """Return the state before the first iteration, a tuple."""
        raise NotImplementedError

    def step(self, index, scan, kspace, *state, training=None):
        """Return the state after iteration `index`, a tuple."""
        raise NotImplementedError

    def finish(self, scan, *state):
        """Return the image that belongs to a state."""
        raise NotImplementedError

    def operator_inputs(self, mask, *maps):
        """Return the tensors that the operator depends on, a list."""
        return [mask, *maps]

    def operator(self, mask, *maps):
        """Make the forward operator from the tensors of `operator_inputs`."""
        return Cartesian(mask, *maps)

    @property
    def needs_maps(self):
        """Whether maps have to be given for k-space of several coils."""
        return getattr(self.sensitivities, "needs_maps", True)

    def network_at(self, index):
        """Return the network of an iteration."""
        return self.networks[0 if self.shared else index]

    def call(self, inputs, training=None):
        scan, measured_by, kspace, unit = self.measurement(inputs)
        state = self.start(scan, kspace)
        iterate = self.step
        built = all(network.built for network in self.networks)
        if self.checkpointing and training and built:
            iterate = functools.partial(self._step_again, measured_by)
        for index in range(self.iterations):
            state = iterate(index, scan, kspace, *state, training=training)
        return self.finish(scan, *state) * unit

    def measurement(self, inputs):
        """Return what `call` starts from.

        That is the operator, the tensors that it depends on, k-space in a unit
        of each example, and that unit, `(batch, 1, ..., 1)`; it is 1 without
        `normalize`.
        """
        kspace, mask, *maps = inputs
        self._check_coils(tuple(kspace.shape), maps)
        if self.half_plane:
            kspace, mask = self.fill_mirror([kspace, mask])
        if self.sensitivities is not None:
            maps = [self.sensitivities([kspace, mask, *maps])]
        measured_by = self.operator_inputs(mask, *maps)
        scan = self.operator(*measured_by)
        if not self.normalize:
            return scan, measured_by, kspace, 1.0
        unit = _root_mean_square(scan.adjoint(kspace))
        return scan, measured_by, kspace / ops.expand_dims(unit, 1), unit

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {
            "name": self.name,
            "trainable": self.trainable,
            "network": self.network and serialize(self.network),
            "iterations": self.iterations,
            "shared": self.shared,
            "sensitivities": self.sensitivities
            and serialize(self.sensitivities),
            "normalize": self.normalize,
            "half_plane": self.half_plane,
            "checkpointing": self.checkpointing,
        }

    @classmethod
    def from_config(cls, config):
        parts = {
            key: keras.saving.deserialize_keras_object(value)
            for key, value in config.items()
            if key == "sensitivities" or key.endswith("network")
        }
        return cls(**{**config, **parts})

    def _copies(self, network):
        """Return the network, and a copy for each further iteration."""
        if self.shared:
            return [network]
        copies = [
            network.from_config(
                independent(
                    {**network.get_config(), "name": f"{network.name}_{i}"}
                )
            )
            for i in range(1, self.iterations)
        ]
        shapes = network.get_build_config() if network.built else None
        for copy in copies:
            # Keras restores the weights of built layers only.
            if shapes and not copy.built:
                copy.build_from_config(shapes)
        return [network, *copies]

    def _step_again(self, measured_by, index, scan, kspace, *state, training):
        """Do a step that is computed again for its gradient.

        The step becomes a function of all tensors that it depends on: of those
        that it only sees, TensorFlow would lose the gradient. Statistics of a
        batch are updated outside, once. Keras knows whether it trains only
        during the call of the model, so the second time has to be told.
        """
        variables = self.variables
        updated = [v for v in variables if not v.trainable]
        # A sampler may have returned its variable; see below.
        tensors = [kspace, *map(ops.copy, measured_by), *state]
        until_scan, until_state = 1 + len(measured_by), len(tensors)

        counted = []

        def step(*values):
            kspace, *measured_by = values[:until_scan]
            state = values[until_scan:until_state]
            current = zip(variables, values[until_state:])
            with keras.StatelessScope(current, collect_losses=True) as scope:
                scan = self.operator(*measured_by)
                state = self.step(
                    index, scan, kspace, *state, training=training
                )
            counted.append(bool(scope.losses))
            loss = sum(map(ops.sum, scope.losses), ops.zeros((), "float32"))
            return (*state, *map(scope.get_current_value, updated), loss)

        # Torch would refuse the gradient of a value that is overwritten below,
        # and TensorFlow, not compiled, loses that of a variable.
        values = [ops.copy(v) for v in variables]
        *found, loss = recomputed(step)(*tensors, *values)
        if any(counted):
            self.add_loss(loss)
        for variable, value in zip(updated, found[len(state) :]):
            variable.assign(value)
        return tuple(found[: len(state)])

    def _check_coils(self, kspace, maps):
        if kspace[1] == 1 or maps or self.sensitivities is not None:
            return
        raise invalid(
            "maps",
            "sensitivity maps for k-space of several coils, as a third input "
            "or estimated by `sensitivities`",
            found=f"k-space of shape {kspace} without maps",
        )


def _check_size(size, depth):
    """Return the size of images for a U-Net, or refuse it."""
    smallest = 2 ** (depth - 1)
    if (
        not isinstance(size, tuple | list)
        or len(size) not in (2, 3)
        or not all(isinstance(n, numbers.Integral) for n in size)
        or min(size) < smallest
    ):
        raise invalid(
            "size",
            f"(H, W) or (D, H, W), integers of at least {smallest} for "
            f"depth={depth}",
            size,
        )
    return tuple(int(n) for n in size)


def _root_mean_square(image):
    """Return it for each example, `(batch, 1, ..., 1)`; 1 for zeros."""
    axes = tuple(range(1, len(image.shape)))
    # Both channels of a complex number count for one.
    power = 2 * ops.mean(ops.square(image), axes, keepdims=True)
    return ops.sqrt(ops.where(power > 0, power, 1.0))
