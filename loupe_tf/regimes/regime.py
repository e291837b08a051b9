import keras
from keras import ops

from loupe_tf import fourier
from loupe_tf.checks import check_integer, invalid
from loupe_tf.layers.seed_generator import ReplicaSeedGenerator, SavesSeedState
from loupe_tf.metrics.images import magnitude
from loupe_tf.metrics.mean_over_images import per_image
from loupe_tf.models import Loupe, reconstructor_of
from loupe_tf.operators import Cartesian
from loupe_tf.operators.cartesian import fit_mask


class Regime(SavesSeedState, keras.Model):
    """Base of regimes: what a reconstructor learns from.

    A regime is a split of the measured samples and a loss. It trains the
    reconstructor of any model by `fit`, and needs no fully sampled image:

    ```python
    regime = loupe_tf.regimes.HoldOut(reconstructor, seed=0)
    regime.compile(keras.optimizers.Adam(1e-3))
    regime.fit([kspace, mask, maps], epochs=50)
    image = regime.predict([kspace, mask, maps])
    ```

    At inference, the reconstructor gets all samples: `regime(inputs)` is the
    output of the given model, and `regime.reconstructor` is used like any other
    reconstructor. `evaluate` and validation data give the same loss without
    training, with one fixed split.

    A subclass implements `learn(measured, training)`. It returns a dict of
    tensors: `"image"`, the reconstruction; `"loss"`, one number an example,
    `(batch,)` or a multiple of it; and the names in `monitors`, of the
    same shape, whose means are logged.

    An example whose k-space or maps are not finite is replaced by zeros and
    left out of the loss. The log `refused` is the share of examples that are
    left out; a subclass can add to them by `"refused"`, `(batch,)`.

    Args:
        model: A reconstructor, that is a Keras layer or model from `[kspace,
            mask]` or `[kspace, mask, maps]` to the image; or a `Loupe`, whose
            sampler and operator then simulate the measurement. The masks are
            those of inference, and logits are not trained.
        seed: Integer or `None`, for all that is drawn. The state of the
            generator is saved.

    Inputs:
        `[kspace, mask]` or `[kspace, mask, maps]`, as measured; with a `Loupe`,
        its own inputs. K-space is `(batch, coils, H, W, 2)`, masks are
        `(1 or batch, H or 1, W or 1, 1)`, maps have the shape of k-space. All
        are float32, with DC at `(H // 2, W // 2)`. K-space outside the mask
        is not read.

    Attributes:
        model: The given model.
        reconstructor: The part of it that is trained.
        monitors: Tuple of names of further logs.
    """

    monitors = ()

    def __init__(self, model, seed=None, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        if seed is not None:
            seed = check_integer("seed", seed)
        self.model = model
        self.reconstructor = reconstructor_of(model)
        self.measuring = None
        if isinstance(model, Loupe):
            self.measuring = keras.Model(model.inputs, model.measured)
            self._check_mask_is_fixed()
        self.seed = seed
        self.seed_generator = ReplicaSeedGenerator(seed)
        self.means = {
            name: keras.metrics.Mean(name=name)
            for name in ("refused", *self.monitors)
        }

    def learn(self, measured, training):
        """Split the samples, reconstruct, and compute the loss.

        Args:
            measured: List `[kspace, mask]` or `[kspace, mask, maps]`. Masks
                have a batch axis, and all is finite.
            training: Boolean. `False` for validation.

        Returns:
            A dict of tensors, see above.
        """
        raise NotImplementedError

    def measure(self, inputs):
        """Return what is measured, and which examples of it are finite.

        Args:
            inputs: The inputs of the regime.

        Returns:
            A pair: the list `[kspace, mask]` or `[kspace, mask, maps]`, and a
            boolean tensor `(batch,)`.
        """
        if self.measuring is not None:
            inputs = self.measuring(inputs, training=False)
        kspace, mask, *maps = inputs
        _check_shapes(kspace, mask)
        mask = ops.cast(mask, "float32")
        mask = ops.broadcast_to(
            mask, (ops.shape(kspace)[0], *tuple(mask.shape)[1:])
        )
        kspace = select(ops.cast(kspace, "float32"), mask)
        finite = True
        for x in (kspace, *maps):
            axes = tuple(range(1, len(x.shape)))
            finite = ops.logical_and(finite, ops.all(ops.isfinite(x), axes))

        def clean(x):
            # Two axes, since TensorFlow broadcasts slowly along many.
            flat = ops.reshape(x, (ops.shape(x)[0], -1))
            flat = ops.where(ops.expand_dims(finite, 1), flat, 0.0)
            return ops.reshape(flat, (-1, *ops.shape(x)[1:]))

        return [clean(kspace), mask, *map(clean, maps)], finite

    def predict_kspace(self, image, maps=()):
        """Return the k-space `F S x` of reconstructed images.

        Args:
            image: Tensor `(batch, H, W, 2)`; or `(batch, H, W, 1)` for one
                coil and images without phase.
            maps: List of the maps, or empty for one coil.

        Returns:
            Tensor `(batch, coils, H, W, 2)`.
        """
        if image.shape[-1] == 1:
            if maps:
                raise invalid(
                    "model",
                    "a reconstructor of complex images (batch, H, W, 2) for "
                    "several coils: a magnitude has no k-space",
                    found=f"images of shape {tuple(image.shape)}",
                )
            image = ops.concatenate([image, ops.zeros_like(image)], axis=-1)
        return Cartesian(None, *maps).forward(image)

    def call(self, inputs, training=None):
        if not training:
            if self.measuring is None:
                kspace, mask, *maps = inputs
                mask = ops.cast(mask, "float32")
                kspace = select(ops.cast(kspace, "float32"), mask)
                inputs = [kspace, mask, *maps]
            return self.model(inputs, training=False)
        measured, finite = self.measure(inputs)
        return {**self.learn(measured, training=True), "finite": finite}

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        """Return the mean loss of the examples that are not refused."""
        found = y_pred
        if not isinstance(found, dict):
            measured, finite = self.measure(x)
            found = {**self.learn(measured, training=False), "finite": finite}
        losses = found["loss"]
        times = losses.shape[0] or ops.shape(losses)[0]
        finite = ops.cast(found["finite"], "float32")
        count = finite.shape[0] or ops.shape(finite)[0]
        if "refused" in found:
            finite = finite * (1.0 - ops.cast(found["refused"], "float32"))
        self.means["refused"].update_state(1.0 - finite)
        taken = ops.tile(finite, (times // count,))
        for name in self.monitors:
            self.means[name].update_state(found[name], sample_weight=taken)
        # A loss that is refused must not spread by 0 · NaN.
        losses = ops.where(taken > 0, losses, 0.0)
        if sample_weight is not None:
            weight = ops.reshape(per_image(sample_weight), (-1,))
            losses = losses * ops.tile(weight, (times // count,))
        loss = ops.sum(losses) / ops.maximum(ops.sum(taken), 1.0)
        return of_replica(loss + sum(self.losses))

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        compiled = len(self.metrics) > 1 + len(self.means)
        if y is None and compiled:
            raise invalid(
                "y", "images for the compiled metrics: fit(inputs, images)", y
            )
        if isinstance(y_pred, dict):
            y_pred = y_pred["image"]
        if compiled and y.shape[-1] == 1:
            y_pred = magnitude(y_pred)
        return super().compute_metrics(x, y, y_pred, sample_weight)

    def compile(self, optimizer="rmsprop", loss=None, **kwargs):
        """Compile as any Keras model, but without a `loss`: it is there."""
        if loss is not None:
            raise invalid("loss", "None: a regime has its own loss", loss)
        super().compile(optimizer=optimizer, **kwargs)

    def compile_from_config(self, config):
        """Compile with the arguments of a saved model."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built:
            self.optimizer.build(self.trainable_variables)

    def get_config(self):
        return {
            "model": keras.saving.serialize_keras_object(self.model),
            "seed": self.seed,
            "name": self.name,
            "trainable": self.trainable,
        }

    @classmethod
    def from_config(cls, config):
        model = keras.saving.deserialize_keras_object(config["model"])
        return cls(**{**config, "model": model})

    def _check_mask_is_fixed(self):
        learned = self.measuring.trainable_variables
        if learned:
            raise invalid(
                "model",
                "one whose mask is not trained: `freeze_mask(model)` for its "
                "final mask, or `layer.trainable = False` for `prob_mask` and "
                "`binarization='sampled'` for draws of it",
                found=f"trainable {[each.path for each in learned]}",
            )


def select(kspace, mask):
    """Keep the samples where a mask is not 0; the others become `+0.0`.

    Args:
        kspace: Tensor `(batch, ..., H, W, 2)`.
        mask: Tensor `(1 or batch, H or 1, W or 1, 1)`.
    """
    real, imag = fourier.split(kspace)
    keep = ops.squeeze(fit_mask(mask, kspace), -1) > 0
    # Without the last axis, along which TensorFlow broadcasts slowly.
    return fourier.join(ops.where(keep, real, 0.0), ops.where(keep, imag, 0.0))


def _check_shapes(kspace, mask):
    shapes = tuple(kspace.shape), tuple(mask.shape)
    if len(shapes[0]) not in (5, 6) or shapes[0][-1] != 2:
        raise invalid(
            "kspace", "shape (batch, coils, H, W, 2)", found=f"{shapes[0]}"
        )
    if (
        len(shapes[1]) != 4
        or shapes[1][-1] != 1
        or any(
            None not in (m, k) and m not in (1, k)
            for m, k in zip(shapes[1][-3:-1], shapes[0][-3:-1])
        )
    ):
        raise invalid(
            "mask",
            "shape (1 or batch, H or 1, W or 1, 1), to fit the k-space "
            f"{shapes[0]}",
            found=f"{shapes[1]}",
        )


def of_replica(loss):
    """Divide a mean loss by the number of replicas, as Keras's losses do.

    TensorFlow sums the gradients of replicas, each of which has the mean over
    its part of the batch.
    """
    if keras.backend.backend() != "tensorflow":
        return loss
    import tensorflow as tf

    return loss / tf.distribute.get_strategy().num_replicas_in_sync
