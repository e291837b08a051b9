import contextlib
import json
import os
import pathlib
import sys
import tempfile

from loupe_tf.checks import check_choice, check_integer, invalid
from loupe_tf.distribution.check_fft import check_fft
from loupe_tf.distribution.replicas import gather_integers, is_chief

MODES = ("none", "mirrored", "multiworker", "jax")


class Distribution:
    """The devices that a script trains on, as chosen by `--distribute`.

    Make it before any computation, because devices cannot be changed later:

    ```python
    distribution = loupe_tf.distribution.Distribution("mirrored")
    with distribution.scope():
        model = loupe_tf.models.loupe_model((320, 320, 1), acceleration=4)
        model.compile(keras.optimizers.Adam(1e-2), loss="mse")
    distribution.check_fft((320, 320))
    fit_two_rounds(model, train, validation, epochs=500, directory="run")
    if distribution.is_chief:
        model = distribution.on_one_device(model)
        model.save("model.keras")
    ```

    Args:
        mode: String.
            `"none"`: one device.
            `"mirrored"`: all GPUs of this machine
            (`tf.distribute.MirroredStrategy`).
            `"multiworker"`: all GPUs of several machines, one process on each
            (`tf.distribute.MultiWorkerMirroredStrategy`). The environment
            variable TF_CONFIG lists the machines and identifies this one.
            `"jax"`: all devices that JAX finds
            (`keras.distribution.DataParallel`), with the JAX backend, which
            is selected here if Keras has not been imported.
        logical_devices: Integer, or `None` for real devices. To try
            `"mirrored"` and `"jax"` on a machine without GPUs, the CPU is
            treated as this many devices.

    Attributes:
        mode: String.
        replicas: Integer, number of devices that train together, on all
            machines. Each gets an equal share of every batch.
        is_chief: Boolean. Whether this process evaluates the result and writes
            it. With several workers, only one is the chief.

    Raises:
        ValueError: If the mode does not go with the backend, or if TF_CONFIG
            does not describe several workers.
    """

    def __init__(self, mode="none", logical_devices=None):
        check_choice("mode", mode, MODES)
        if mode == "jax" and "keras" not in sys.modules:
            os.environ["KERAS_BACKEND"] = "jax"  # Read when Keras is imported.
        import keras

        backend = keras.backend.backend()
        if mode == "jax" and backend != "jax":
            raise invalid(
                "mode",
                "the environment variable KERAS_BACKEND=jax before Keras is "
                f"imported (the backend is {backend})",
                mode,
            )
        if mode in ("mirrored", "multiworker") and backend != "tensorflow":
            raise invalid(
                "mode", f"'none' or 'jax' with the {backend} backend", mode
            )
        if logical_devices is not None:
            if mode not in ("mirrored", "jax"):
                raise invalid(
                    "logical_devices",
                    f"None, unless mode is 'mirrored' or 'jax' (it is {mode})",
                    logical_devices,
                )
            check_integer("logical_devices", logical_devices, at_least=1)
        self.mode = mode
        self.is_chief = True
        self.replicas = 1
        self._strategy = None
        if mode == "mirrored":
            self._strategy = _mirrored(logical_devices)
        elif mode == "multiworker":
            self._strategy = _multi_worker()
            self.is_chief = is_chief(self._strategy)
        elif mode == "jax":
            self.replicas = _jax(logical_devices)
        if self._strategy is not None:
            self.replicas = self._strategy.num_replicas_in_sync

    def __str__(self):
        text = {
            "none": "one device",
            "mirrored": "MirroredStrategy",
            "multiworker": "MultiWorkerMirroredStrategy",
            "jax": "keras.distribution.DataParallel",
        }[self.mode]
        if self.mode != "none":
            text += f", {self.replicas} replicas"
        return text

    def scope(self):
        """Return the scope in which to build and compile models."""
        if self._strategy is None:
            return contextlib.nullcontext()
        return self._strategy.scope()

    @contextlib.contextmanager
    def chief_first(self):
        """Run a block on the chief first, and then on the other workers.

        An example is the preparation of data that all of them read.
        """
        if not self.is_chief:
            gather_integers(self._strategy, [0])
        yield
        if self.is_chief and self.mode == "multiworker":
            gather_integers(self._strategy, [0])

    def check_fft(self, size):
        """Compare each device's FFT with NumPy's; see `check_fft`."""
        return check_fft(size, self._strategy)

    def on_one_device(self, model):
        """Return a model outside the strategy, to evaluate and save.

        It is a copy with the same weights and optimizer that predicts batches
        of any size on one device, or the model itself if the mode is `"none"`.
        On JAX, this call also ends the distribution.
        """
        import keras

        from loupe_tf.compile_like import compile_like

        if self.mode == "none":
            return model
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "model.weights.h5")
            model.save_weights(path)
            if self.mode == "jax":
                keras.distribution.set_distribution(None)
            config = _without_replicas(model.get_config())
            copy = type(model).from_config(config)
            compile_like(copy, model)
            copy.load_weights(path)
        return copy


def add_arguments(parser):
    """Add the options `--distribute` and `--logical-devices` of scripts."""
    parser.add_argument(
        "--distribute",
        default="none",
        choices=MODES,
        help="train on all GPUs of this machine (mirrored), on several "
        "machines, one process on each (multiworker; TF_CONFIG lists them), or "
        "on all devices of JAX (jax); --batch-size counts all devices together "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--logical-devices",
        type=int,
        metavar="N",
        help="treat the CPU as this many devices, to try mirrored or jax",
    )


def _without_replicas(config):
    """Return a configuration whose batch statistics are not synchronized."""
    if isinstance(config, dict):
        return {
            key: False if key == "synchronized" else _without_replicas(value)
            for key, value in config.items()
        }
    if isinstance(config, list | tuple):
        return type(config)(map(_without_replicas, config))
    return config


def _mirrored(logical_devices):
    import tensorflow as tf

    if logical_devices is None:
        return tf.distribute.MirroredStrategy()
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * logical_devices,
    )
    devices = [f"CPU:{i}" for i in range(logical_devices)]
    return tf.distribute.MirroredStrategy(devices)


def _multi_worker():
    import tensorflow as tf

    text = os.environ.get("TF_CONFIG", "")
    try:
        config = json.loads(text)
        task = config["task"]
        workers = config["cluster"][task["type"]]
        if not isinstance(workers, list) or not workers[int(task["index"])]:
            raise ValueError
    except (ValueError, LookupError, TypeError):
        raise invalid(
            "TF_CONFIG",
            "an environment variable that lists the workers and says which one "
            'this is, such as {"cluster": {"worker": ["host1:12345", '
            '"host2:12345"]}, "task": {"type": "worker", "index": 0}}',
            text,
        ) from None
    return tf.distribute.MultiWorkerMirroredStrategy()


def _jax(logical_devices):
    """Set the distribution; return the number of devices."""
    import jax
    import keras
    import tensorflow as tf

    # TFDS uses TensorFlow, which would reserve the memory of the GPUs.
    tf.config.set_visible_devices([], "GPU")
    if logical_devices is not None:
        jax.config.update("jax_platforms", "cpu")
        jax.config.update("jax_num_cpu_devices", logical_devices)
    devices = keras.distribution.list_devices()
    keras.distribution.set_distribution(
        keras.distribution.DataParallel(devices=devices)
    )
    return len(devices)
