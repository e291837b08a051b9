"""What each of the two workers of test_multi_worker_trainer.py does."""

import json
import pathlib
import sys

import keras
import numpy as np
import tensorflow as tf

from loupe_tf.callbacks import (
    BackupAndRestore,
    SelfShrinkingSigmoidSlope,
    ShuffledBatches,
)
from loupe_tf.distribution import (
    Distribution,
    MultiWorkerTrainer,
    ReplicaError,
)
from loupe_tf.models import loupe_model
from loupe_tf.records import write_record

folder = pathlib.Path(sys.argv[1])
mode = sys.argv[2]
devices = Distribution(mode, 2 if mode == "mirrored" else None)
strategy = devices._strategy
found = {"is_chief": devices.is_chief, "fft": devices.check_fft((16, 18))}
x = np.random.default_rng(0).uniform(size=(21, 16, 18, 1)).astype("float32")


class Log(keras.callbacks.Callback):
    """The hooks that are called, in their order."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def on_train_begin(self, logs=None):
        self.calls.append(["train begin", self.params["epochs"]])

    def on_epoch_begin(self, epoch, logs=None):
        self.calls.append(["epoch begin", epoch])

    def on_train_batch_end(self, batch, logs=None):
        self.calls.append(["batch end", batch, sorted(logs)])

    def on_test_batch_end(self, batch, logs=None):
        self.calls.append(["test batch end", batch, sorted(logs)])

    def on_epoch_end(self, epoch, logs=None):
        self.calls.append(["epoch end", epoch, sorted(logs)])

    def on_train_end(self, logs=None):
        self.calls.append(["train end", sorted(logs)])


def build():
    keras.utils.set_random_seed(0)
    with devices.scope():
        model = loupe_model(
            (16, 18, 1),
            acceleration=4,
            filters=2,
            depth=1,
            seed=0,
            normalization="instance",
        )
        model.compile(keras.optimizers.Adam(1e-2), loss="mse", metrics=["mae"])
    return model


def fit(model, epochs, folder, batch_size=4, saving=devices.is_chief):
    train = ShuffledBatches(x[:11], x[:11], batch_size, drop_remainder=True)
    log = Log()
    callbacks = [
        train.callback(),
        SelfShrinkingSigmoidSlope(patience=1, cooldown=0, min_delta=1.0),
        keras.callbacks.ReduceLROnPlateau(patience=2, min_delta=1.0),
        keras.callbacks.EarlyStopping(patience=4, min_delta=1.0),
        log,
    ]
    callbacks.append(BackupAndRestore(folder, callbacks, save=saving))
    # Five for validation: shares of 2 and 2, and one that is left out; `fit`
    # of Keras would take it, so the other mode is given four.
    validation = x[11:16] if mode == "multiworker" else x[11:15]
    arguments = {
        "validation_data": (validation, validation),
        "validation_batch_size": 4,
        "epochs": epochs,
        "callbacks": callbacks,
        "verbose": 0,
    }
    if mode == "multiworker":
        MultiWorkerTrainer(model).fit(train, **arguments)
    else:
        model.fit(train, shuffle=False, **arguments)
    return callbacks[-1].history, log.calls


model = build()
found["history"], found["calls"] = fit(model, 20, folder / mode)
found["weights"] = [float(np.abs(w).sum()) for w in model.get_weights()]
found["stop_training"] = model.stop_training

sampler = model.get_layer("sampled_mask")


@tf.function
def draw():
    prob, image = tf.fill((1, 16, 18, 1), 0.25), tf.zeros((2, 16, 18, 1))
    return sampler([prob, image], training=True)


drawn = np.concatenate(
    strategy.experimental_local_results(strategy.run(draw))
).reshape(-1, 16 * 18)
found["drawn"] = drawn.tolist()

if mode == "multiworker":
    found["errors"] = []

    def refused(function, *arguments, **others):
        try:
            function(*arguments, **others)
        except (ValueError, ReplicaError) as error:
            found["errors"].append(str(error))

    refused(fit, build(), 1, folder / "odd", batch_size=3)
    # Backups that each worker keeps to itself, one of them of an epoch more.
    own = folder / ("chief" if devices.is_chief else "other")
    fit(build(), 1, own, saving=True)
    if not devices.is_chief:
        name = own / "epoch_0000001" / "state.json"
        state = json.loads(name.read_text())
        del state["crc32c"]
        write_record(name, {**state, "epoch": 0})
    refused(fit, build(), 2, own)
    # A data set of TensorFlow's, whose shares are of different sizes.
    trainer = MultiWorkerTrainer(model)
    data = tf.data.Dataset.from_tensor_slices((x[:7], x[:7])).batch(7)
    got = trainer.evaluate(data)
    one = devices.on_one_device(model)
    expected = one.evaluate(x[:7], x[:7], verbose=0, return_dict=True)
    found["evaluate"] = [got, expected]
    # One that TensorFlow has shared out.
    data = tf.data.Dataset.from_tensor_slices((x[:8], x[:8])).batch(4)
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.DATA
    )
    data = strategy.experimental_distribute_dataset(data.with_options(options))
    expected = one.evaluate(x[:8], x[:8], verbose=0, return_dict=True)
    found["distributed"] = [trainer.evaluate(data), expected]

print(json.dumps(found))
