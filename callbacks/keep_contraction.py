import contextlib
import math

import keras
import numpy as np

from loupe_tf.callbacks.slopes import flatten
from loupe_tf.checks import check_number, invalid

NAMES = "residual", "rate", "steps"
# Names of the variables for all batches since they were set to 0.
LARGEST = {"residual": "largest_residual", "rate": "largest_rate"}


class KeepContraction(keras.callbacks.Callback):
    """Return to the last good weights when an equilibrium is no longer found.

    For each model with the variables `residual`, `rate` and `steps`, such as
    `loupe_tf.models.DeepEquilibrium`, they are added to the logs of the epoch:
    the largest residual and rate of all its batches, and the mean number of
    iterations of its last batch. If the rate is `limit` or more, or the loss is
    not finite, the iteration does not contract. Then all weights and the state
    of the optimizer are restored from the end of the last good epoch, the
    learning rate is multiplied by `factor`, and a message says so. If the next
    epoch fails again, the callback restores the good epoch before that one.

    The weights that training starts from need not contract. Until all batches
    of one epoch have contracted, only the last batch of each epoch is judged.

    Args:
        limit: Positive float, the rate from which on there is no contraction.
            With 0.99, thirty iterations leave three quarters of the residual.
        factor: Float in (0, 1].
        verbose: 0 for no message.

    Raises:
        ValueError: If an argument is invalid; when training begins, if the
            model has no such variables.

    Example:

    ```python
    network = loupe_tf.models.cnn(
        (None, None, 2), filters=2, depth=2, normalization=None
    )
    equilibrium = loupe_tf.models.DeepEquilibrium(
        loupe_tf.models.ProximalGradient(network)
    )
    model = loupe_tf.models.loupe_model(
        (32, 32, 1), acceleration=2, reconstructor=equilibrium
    )
    model.compile("adam", loss="mse")
    history = model.fit(
        images, images, epochs=20, callbacks=[KeepContraction()], verbose=0
    )
    print(history.history["rate"])
    ```
    """

    def __init__(self, limit=0.99, factor=0.5, verbose=1):
        super().__init__()
        self.limit = check_number("limit", limit, above=0)
        self.factor = check_number("factor", factor, above=0, at_most=1)
        self.verbose = verbose

    def on_train_begin(self, logs=None):
        if not self._found():
            raise invalid(
                "model",
                "a model with the variables `residual`, `rate` and `steps`, "
                "such as `loupe_tf.models.DeepEquilibrium`",
                found=f"model '{self.model.name}'",
            )
        optimizer = self.model.optimizer
        if not optimizer.built:
            # Else its state would not be there to go back to.
            optimizer.build(self.model.trainable_variables)
        self._contracted = self._went_back = False
        self._kept = []

    def on_epoch_begin(self, epoch, logs=None):
        # Not when training begins: a callback after this one may restore a
        # backup then.
        if not self._kept:
            self._keep()
        for each in self._found():
            for name in LARGEST.values():
                if hasattr(each, name):
                    getattr(each, name).assign(0.0)

    def on_epoch_end(self, epoch, logs=None):
        logs = {} if logs is None else logs
        last = {name: self._largest(name, name) for name in NAMES}
        logs.update(last)
        for name, largest in LARGEST.items():
            logs[name] = self._largest(largest, name)
        finite = math.isfinite(logs.get("loss", 0.0))
        judged = logs if self._contracted else last
        if finite and judged["rate"] < self.limit:
            self._contracted |= logs["rate"] < self.limit
            self._went_back = False
            self._keep()
            return
        if self._went_back and len(self._kept) > 1:
            # The kept weights come from the end of the epoch, after its last
            # batch, so no batch has checked them.
            self._kept.pop()
        self._went_back = True
        optimizer = self.model.optimizer
        rate = float(np.asarray(optimizer.learning_rate))
        for variable, value in zip(self._variables(), self._kept.pop()):
            variable.assign(value)
        with contextlib.suppress(TypeError):  # A schedule.
            optimizer.learning_rate = self.factor * rate
        # What is restored next time is not the old rate.
        self._keep()
        if self.verbose:
            print(
                f"\nEpoch {epoch + 1}: no contraction, the residual changes by "
                f"the factor {logs['rate']:.3f} in each iteration and ends at "
                f"{logs['residual']:.2g}. Training goes on from the last good "
                f"weights."
            )

    def _found(self):
        return [
            layer
            for layer in (self.model, *flatten(self.model))
            if all(
                isinstance(getattr(layer, name, None), keras.Variable)
                for name in NAMES
            )
        ]

    def _largest(self, name, otherwise):
        """Return the largest value of a variable of all equilibria.

        Layers without `name` are judged by `otherwise`.
        """
        return max(
            float(np.asarray(getattr(each, name, getattr(each, otherwise))))
            for each in self._found()
        )

    def _variables(self):
        return [*self.model.variables, *self.model.optimizer.variables]

    def _keep(self):
        arrays = [
            np.array(keras.ops.convert_to_numpy(each))
            for each in self._variables()
        ]
        self._kept = [*self._kept[-1:], arrays]
