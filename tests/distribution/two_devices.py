"""What test_mirrored.py looks at: a run on two logical CPU devices.

It has a process of its own, since devices cannot be changed later.
"""

import json
import sys

import keras
import numpy as np
import tensorflow as tf

from loupe_tf import fourier, masks
from loupe_tf.callbacks import (
    SelfShrinkingSigmoidSlope,
    fit_two_rounds,
)
from loupe_tf.datasets import pipeline
from loupe_tf.distribution import Distribution, num_replicas
from loupe_tf.models import cnn, loupe_model

devices = Distribution("mirrored", logical_devices=2)
strategy = devices._strategy
found = {"replicas": devices.replicas, "name": str(devices)}

x = np.random.default_rng(0).uniform(size=(23, 16, 18, 1)).astype("float32")
fixed = masks.gaussian((16, 18), 4)


def build(normalization, **options):
    keras.utils.set_random_seed(0)
    # What takes long is to trace it, on each device: two convolutions.
    options = options or {"acceleration": 4, "slope": 200.0}
    network = cnn((16, 18, 2), 1, 2, filters=2, normalization=normalization)
    model = loupe_model((16, 18, 1), reconstructor=network, seed=0, **options)
    model.compile(keras.optimizers.Adam(1e-2), loss="mse")
    return model


def synchronized(name):
    return keras.layers.BatchNormalization(synchronized=True, name=name)


def differ(normalization, train, validation_data, **others):
    """By how much the losses on two devices differ from those on one."""
    losses = []
    for scope in (devices.scope(), tf.distribute.get_strategy().scope()):
        with scope:
            model = build(normalization, mask=fixed)
        history = fit_two_rounds(
            model,
            train,
            validation_data,
            epochs=(2, 1),
            slope_callback=False,
            verbose=0,
            **others,
        ).history
        losses.append([history["loss"], history["val_loss"]])
    return np.abs(np.subtract(*losses)).max()


# The same losses as on one device, with a fixed mask: arrays, and batches.
found["arrays"] = differ("instance", x[:12], x[12:20], batch_size=4)
found["batches"] = differ(
    synchronized,
    pipeline(x, batch_size=4, drop_remainder=True),
    pipeline(x[:8], batch_size=4, shuffle=False),
)

# 4S on two devices, and what it leaves.
with devices.scope():
    model = build("instance")
found["num_replicas"] = num_replicas(model)
history = fit_two_rounds(
    model,
    x[:11],  # Three are left over.
    x[11:16],  # One is.
    epochs=(4, 1),
    batch_size=4,
    slope_callback=SelfShrinkingSigmoidSlope(
        "val_relaxed_loss", patience=1, cooldown=0, min_delta=1.0
    ),
    monitor="val_relaxed_loss",
    verbose=0,
)
found["history"] = history.history
found["steps"] = int(model.optimizer.iterations.numpy())

# Each replica's own view.
sampler = model.get_layer("sampled_mask")


@tf.function
def look():
    prob = tf.fill((1, 16, 18, 1), 0.25)
    image = tf.zeros((2, 16, 18, 1))
    return sampler([prob, image], training=True), tf.identity(
        sampler.slope.value
    )


drawn, slopes = map(strategy.experimental_local_results, strategy.run(look))
drawn = np.concatenate(drawn).reshape(4, -1)
found["slopes"] = [float(slope) for slope in slopes]
found["correlations"] = np.corrcoef(drawn)[np.triu_indices(4, 1)].tolist()

# Inference: one device and two agree; so does the copy on one device.
with devices.scope():
    synced = build(synchronized)
for name, of_two in (("instance", model), ("synchronized", synced)):
    one = devices.on_one_device(of_two)
    loss = one.evaluate(x[:8], x[:8], batch_size=4, verbose=0)
    found[f"inference {name}"] = abs(
        loss - of_two.evaluate(x[:8], x[:8], batch_size=4, verbose=0)
    )
    found[f"replicas of copy {name}"] = num_replicas(one)
    found[f"optimizer {name}"] = [
        int(m.optimizer.iterations.numpy()) for m in (of_two, one)
    ]
    assert one.predict(x, batch_size=4, verbose=0).shape == x.shape
    assert "synchronized': True" not in str(one.get_config())
    one.save(f"{sys.argv[1]}/{name}.keras")

# What is refused.
found["errors"] = []


def refused(function, *arguments, **others):
    try:
        function(*arguments, **others)
    except (ValueError, RuntimeError) as error:
        found["errors"].append(str(error))


fit = {"model": model, "epochs": 1, "slope_callback": False, "verbose": 0}
refused(fit_two_rounds, train=x, validation_data=x, batch_size=3, **fit)
refused(fit_two_rounds, train=x[:3], validation_data=x, batch_size=4, **fit)
refused(fit_two_rounds, train=x, validation_data=x[:1], batch_size=4, **fit)
right = fourier.fft2


def wrong_on_one(images):
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group
    return right(images) + tf.cast(replica == 1, "float32")


found["fft"] = devices.check_fft((16, 18))
fourier.fft2 = wrong_on_one
refused(devices.check_fft, (16, 18))
fourier.fft2 = right

print(json.dumps(found))
