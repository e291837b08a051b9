import os
import shutil
import subprocess
import sys
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from loupe_tf.datasets import (
    Augment,
    FastmriSlicesConfig,
    pipeline,
    write_fastmri_dataset,
)
from loupe_tf.datasets.feeding.cached_images import CachedImages
from loupe_tf.datasets.feeding.pipeline import ArrayImages
from loupe_tf.datasets.feeding.slice_batches import SliceBatches
from loupe_tf.datasets.tfrecords import record_offsets
from loupe_tf.numpy_fourier import fft2c

SPLITS = {"train": 23, "validation": 5}
FORMATS = ("tfrecord", "array_record")

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="runs the other backends in processes of their own",
)


def image_of(split, i, shape=(8, 9, 1)):
    """An image whose every pixel tells which one it is."""
    return np.full(shape, i + 100 * list(SPLITS).index(split), "float32")


def store(folder, records, features, file_format="tfrecord", name="slices"):
    shards = min(3, *(len(examples) for examples in records.values()))
    return tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version="1.0.0",
        data_dir=folder,
        features=tfds.features.FeaturesDict(features),
        split_datasets=records,
        file_format=file_format,
        download_config=tfds.download.DownloadConfig(num_shards=shards),
        disable_shuffling=True,
    )


def tensor(shape, dtype="float32"):
    dtype = np.dtype(dtype).type
    return tfds.features.Tensor(shape=shape, dtype=dtype, encoding="bytes")


@pytest.fixture(scope="module")
def builders(tmp_path_factory):
    features = {"image": tensor((8, 9, 1)), "volume": tfds.features.Text()}
    records = {
        split: [
            (i, {"image": image_of(split, i), "volume": f"{split}_{i // 4}"})
            for i in range(count)
        ]
        for split, count in SPLITS.items()
    }
    return {
        name: store(tmp_path_factory.mktemp(name), records, features, name)
        for name in FORMATS
    }


@pytest.fixture(params=FORMATS)
def builder(request, builders):
    return builders[request.param]


def codes(dataset):
    """Which images there are in the batches of an epoch."""
    return [np.asarray(x)[:, 0, 0, 0].astype(int).tolist() for x, _ in dataset]


def flat(batches):
    return [code for batch in batches for code in batch]


def other_backend(dataset):
    """Batches as JAX and torch get them, in random order."""
    batches = dataset.callback.__self__
    assert isinstance(batches, keras.utils.PyDataset)
    order = np.random.default_rng(0).permutation(len(batches))
    read = {index: batches[index] for index in order}
    return [read[index] for index in range(len(batches))]


def test_batches(builder):
    dataset = pipeline(builder, "train", 4)
    assert isinstance(dataset, tf.data.Dataset)
    spec = tf.TensorSpec((None, 8, 9, 1), tf.float32)
    assert dataset.element_spec == (spec, spec)
    assert len(dataset) == len(list(dataset)) == 6
    for x, y in dataset:
        np.testing.assert_array_equal(x, y)
    assert [len(batch) for batch in codes(dataset)] == [4, 4, 4, 4, 4, 3]
    assert len(pipeline(builder, "train", 4, drop_remainder=True)) == 5


def test_order_of_the_data_set(builder):
    dataset = pipeline(builder, "train", 4, shuffle=False)
    for _ in range(2):
        assert flat(codes(dataset)) == list(range(23))


@pytest.mark.parametrize(
    "split, expected",
    [
        ("train", range(23)),
        ("train[5:14]", range(5, 14)),
        ("train[50%:]", range(12, 23)),
        ("validation", range(100, 105)),
        ("validation[1:]+train[:3]", [101, 102, 103, 104, 0, 1, 2]),
    ],
)
def test_every_slice_of_the_split_once_an_epoch(builder, split, expected):
    in_order = flat(codes(pipeline(builder, split, 4, shuffle=False)))
    assert in_order == list(expected)
    dataset = pipeline(builder, split, 4)
    orders = [flat(codes(dataset)) for _ in range(3)]
    for order in orders:
        assert sorted(order) == sorted(expected)
    assert orders[0] != orders[1] != orders[2] != orders[0]


def test_the_same_batches_for_the_same_seed(builders):
    augment = Augment("horizontal", rotation=30, intensity=0.3, noise=0.5)
    settings = {"batch_size": 4, "seed": 3, "augment": augment}
    images = [image_of("train", i) for i in range(SPLITS["train"])]
    datasets = [
        pipeline(builders["tfrecord"], "train", **settings),
        pipeline(builders["tfrecord"], "train", **settings, cache=True),
        pipeline(builders["array_record"], "train", **settings),
        pipeline(np.stack(images), **settings),
    ]
    for epoch in (0, 1, 7):
        for dataset in datasets:
            dataset.set_epoch(epoch)
        expected = list(datasets[0])
        for dataset in [*datasets[1:], other_backend(datasets[0])]:
            for (x, y), (a, b) in zip(expected, dataset, strict=True):
                np.testing.assert_array_equal(x, a)
                np.testing.assert_array_equal(y, b)


def test_other_seeds_and_epochs_differ(builders):
    def epoch(number, **settings):
        dataset = pipeline(
            builders["tfrecord"], "train", 23, augment=augment, **settings
        )
        dataset.set_epoch(number)
        ((x, _),) = dataset
        return x.numpy()

    augment = Augment(noise=0.1)
    first = epoch(0)
    np.testing.assert_array_equal(first, epoch(0))
    assert np.abs(first - epoch(1)).max() > 0.1
    assert np.abs(first - epoch(0, seed=1)).max() > 0.1
    # In a fixed order the noise differs all the same: between epochs, and
    # between the images of one.
    a, b = epoch(0, shuffle=False), epoch(1, shuffle=False)
    assert np.abs(a - b).max() > 0.1
    alike = pipeline(np.ones((22, 8, 9, 1)), None, 22, augment=augment)
    ((x, _),) = alike
    assert len({image.tobytes() for image in x.numpy()}) == 22


def test_the_epoch_is_counted_until_it_is_told(builders):
    counting, told = (pipeline(builders["tfrecord"], "train") for _ in "ab")
    orders = [codes(counting) for _ in range(3)]
    for epoch in (2, 0, 1):
        told.set_epoch(epoch)
        assert codes(told) == codes(told) == orders[epoch]


class Mean(keras.layers.Layer):
    """Follows the images one by one, so that their order matters."""

    def build(self, shape):
        self.mean = self.add_weight(name="mean", initializer="zeros")

    def call(self, x):
        return x * 0 + self.mean


def small_model():
    model = keras.Sequential([keras.Input((8, 9, 1)), Mean()])
    model.compile(keras.optimizers.SGD(0.05), loss="mse", metrics=["mae"])
    return model


def fit(dataset, epochs, initial_epoch=0, weights=None, **kwargs):
    model = small_model()
    if weights is not None:
        model.set_weights(weights)
    model.fit(
        dataset,
        epochs=epochs,
        initial_epoch=initial_epoch,
        callbacks=[dataset.callback()],
        shuffle=False,
        verbose=0,
        **kwargs,
    )
    return model.get_weights()


def test_fit_goes_on_where_it_was_stopped(builders):
    def train():
        augment = Augment("horizontal", intensity=0.5)
        return pipeline(builders["tfrecord"], "train", 4, augment=augment)

    validation = pipeline(builders["tfrecord"], "validation", shuffle=False)
    whole = fit(train(), 4, validation_data=validation)
    half = fit(train(), 2, validation_data=validation)
    resumed = fit(train(), 4, 2, half, validation_data=validation)
    np.testing.assert_array_equal(whole, resumed)
    forgotten = fit(train(), 2, 0, half, validation_data=validation)
    assert np.abs(whole[0] - forgotten[0]) > 1e-3


@pytest.mark.parametrize("workers, replicas", [(2, 2), (2, 4), (3, 3), (1, 2)])
@pytest.mark.parametrize("cache", [False, True])
def test_workers_share_the_batches_of_one(builder, workers, replicas, cache):
    size = 12 if workers < 3 else 6
    whole = pipeline(builder, "train", size, drop_remainder=True)
    parts = [
        pipeline(
            builder,
            "train",
            size,
            cache=cache,
            input_context=tf.distribute.InputContext(workers, k, replicas),
        )
        for k in range(workers)
    ]
    per_worker = replicas // workers
    for epoch in range(2):
        for dataset in (whole, *parts):
            dataset.set_epoch(epoch)
        shares = [codes(part) for part in parts]
        for part, share in zip(parts, shares):
            assert len(part) == len(share) == len(whole) * per_worker
            assert {len(batch) for batch in share} == {size // replicas}
        for step, batch in enumerate(codes(whole)):
            rows = slice(step * per_worker, (step + 1) * per_worker)
            assert flat(flat(share[rows]) for share in shares) == batch


def test_input_context_that_cannot_be_shared(builders):
    def context(workers=2, replicas=2):
        return types.SimpleNamespace(
            num_input_pipelines=workers,
            input_pipeline_id=0,
            num_replicas_in_sync=replicas,
        )

    builder = builders["tfrecord"]
    with pytest.raises(ValueError, match="`batch_size`.*multiple of 2.*=5"):
        pipeline(builder, "train", 5, input_context=context())
    with pytest.raises(ValueError, match="`drop_remainder`"):
        pipeline(
            builder, "train", 4, drop_remainder=False, input_context=context()
        )
    with pytest.raises(ValueError, match="`input_context`"):
        pipeline(builder, "train", 6, input_context=context(2, 3))


MIRRORED = """
import sys
import numpy as np
import keras
import tensorflow as tf
from loupe_tf.datasets import Augment, pipeline

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * 2
)
images = np.random.default_rng(0).uniform(size=(22, 8, 8, 1)).astype("float32")

def fit(strategy):
    train = pipeline(
        images, None, 4, drop_remainder=True,
        augment=Augment("horizontal", noise=0.5, noise_in="input"),
    )
    with strategy.scope():
        keras.utils.set_random_seed(0)
        convolution = keras.layers.Conv2D(1, 3, padding="same")
        model = keras.Sequential([keras.Input((8, 8, 1)), convolution])
        model.compile(keras.optimizers.SGD(0.1), loss="mse")
    callbacks = [train.callback()]
    history = model.fit(train, epochs=3, callbacks=callbacks, verbose=0)
    return history.history["loss"], model.get_weights()

strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
losses, weights = fit(strategy)
alone, expected = fit(tf.distribute.get_strategy())
assert strategy.num_replicas_in_sync == 2
np.testing.assert_allclose(losses, alone, rtol=1e-5)
for a, b in zip(weights, expected):
    np.testing.assert_allclose(a, b, atol=1e-6)

# By hand, two workers of one replica each.
def dataset_of(context):
    return pipeline(images, None, 4, input_context=context)

shared = strategy.distribute_datasets_from_function(dataset_of)
seen = [
    np.concatenate([t.numpy() for t in strategy.experimental_local_results(x)])
    for x, _ in shared
]
whole = [x.numpy() for x, _ in pipeline(images, None, 4, drop_remainder=True)]
np.testing.assert_array_equal(seen, whole)
"""


def run(code, *arguments, **environment):
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_replicas_see_the_batches_of_one_device():
    run(MIRRORED)


WITHOUT_TENSORFLOW = """
import sys
import keras
import numpy as np
import tensorflow_datasets as tfds
from loupe_tf.datasets import Augment, pipeline

assert keras.backend.backend() == "jax"
expected = np.load(sys.argv[1])
for folder in sys.argv[2:]:
    builder = tfds.builder_from_directory(folder)
    augment = Augment(noise=0.1)
    train = pipeline(builder, "train", 4, augment=augment, cache=True)
    validation = pipeline(builder, "validation", 4, shuffle=False)
    assert isinstance(train, keras.utils.PyDataset)
    weights = []
    # All epochs; then the first and, by another model, the others.
    for begin, end in ((0, 3), (0, 1), (1, 3)):
        convolution = keras.layers.Conv2D(1, 1, kernel_initializer="zeros")
        model = keras.Sequential([keras.Input((8, 9, 1)), convolution])
        model.compile(keras.optimizers.SGD(1e-4), loss="mse")
        if begin:
            model.set_weights(weights[-1])
        train.set_epoch(17)
        model.fit(
            train,
            validation_data=validation,
            initial_epoch=begin,
            epochs=end,
            callbacks=[train.callback()],
            shuffle=False,
            verbose=0,
        )
        weights.append(model.get_weights())
    np.testing.assert_array_equal(weights[0][0], weights[2][0])
    assert np.abs(weights[0][0] - weights[1][0]).max() > 1e-4
    train.set_epoch(0)
    found = [train[index][0] for index in range(len(train))]
    np.testing.assert_array_equal(np.concatenate(found), expected)
assert "tensorflow" not in sys.modules
"""


def test_jax_trains_without_tensorflow(builders, tmp_path):
    dataset = pipeline(
        builders["tfrecord"], "train", 4, augment=Augment(noise=0.1)
    )
    expected = np.concatenate([x for x, _ in dataset])
    np.save(tmp_path / "expected.npy", expected)
    folders = [builder.data_path for builder in builders.values()]
    arguments = (tmp_path / "expected.npy", *folders)
    run(WITHOUT_TENSORFLOW, *arguments, KERAS_BACKEND="jax")


class Counting(ArrayImages):
    """Images that tell how often they were read."""

    def __init__(self, array):
        super().__init__(array)
        self.reads = np.zeros(len(array), int)

    def fetch(self, indices):
        np.add.at(self.reads, indices, 1)
        return super().fetch(indices)


@pytest.mark.parametrize("in_file", [False, True])
def test_each_image_is_read_once(rng, tmp_path, in_file):
    array = rng.uniform(size=(10, 4, 4, 1)).astype("float32")
    images = Counting(array)
    cached = CachedImages(images, tmp_path if in_file else None, "a")
    for rows in ([3, 1], [1, 2, 3], [9, 3]):
        np.testing.assert_array_equal(cached.fetch(rows), array[rows])
    assert images.reads.tolist() == [0, 1, 1, 1, 0, 0, 0, 0, 0, 1]
    assert not list(tmp_path.glob("*.npy"))  # not whole yet
    batches = SliceBatches(cached, 3, shuffle=True)
    for _ in range(3):
        for index in range(len(batches)):
            x, _ = batches[index]
        batches.end_epoch()
    assert images.reads.tolist() == [1] * 10
    np.testing.assert_array_equal(cached.fetch(np.arange(10)), array)
    # What is handed out may be changed.
    cached.fetch([0])[:] = 7
    np.testing.assert_array_equal(cached.fetch([0]), array[:1])


def test_a_file_is_found_again_by_what_it_holds(rng, tmp_path):
    array = rng.uniform(size=(10, 4, 4, 1)).astype("float32")
    everything = np.arange(10)

    def reads(identity):
        images = Counting(array)
        cached = CachedImages(images, tmp_path / "new", identity)
        np.testing.assert_array_equal(cached.fetch(everything), array)
        return images.reads.sum()

    # A run that ends early leaves nothing that another one takes for whole.
    CachedImages(Counting(array), tmp_path / "new", ["a"]).fetch([0, 1])
    assert [reads(["a"]), reads(["a"]), reads(["b"])] == [10, 0, 10]
    (name, _) = sorted((tmp_path / "new").glob("*.npy"))
    np.save(name, array[:4])
    with pytest.raises(ValueError, match=rf"{name.name}.*\(4, 4, 4, 1\)"):
        reads(["a"]), reads(["b"])


def test_cache_of_a_data_set(builders, tmp_path):
    builder = builders["tfrecord"]
    for cache in (True, tmp_path, tmp_path):
        dataset = pipeline(builder, "train", 4, seed=1, cache=cache)
        for epoch in range(2):
            dataset.set_epoch(epoch)
            plain = pipeline(builder, "train", 4, seed=1)
            plain.set_epoch(epoch)
            assert codes(dataset) == codes(plain)
    assert len(list(tmp_path.glob("*.npy"))) == 1
    for split in ("train[:20]", "train[1:21]"):
        dataset = pipeline(builder, split, 5, shuffle=False, cache=tmp_path)
        expected = flat(codes(pipeline(builder, split, 5, shuffle=False)))
        assert flat(codes(dataset)) == expected
    # Built again, it is another data set.
    path = builder.data_path / "dataset_info.json"
    os.utime(path, (0, 0))
    codes(pipeline(builder, "train", 4, cache=tmp_path))
    assert len(list(tmp_path.glob("*.npy"))) == 4


@pytest.mark.parametrize("file_format", FORMATS)
def test_complex_images_and_kspace(rng, tmp_path, file_format):
    """Of unknown and differing sizes, as fastMRI's k-space."""
    images = [
        (rng.normal(size=(2, 12, w)) * [[[1]], [[1j]]]).sum(0) for w in (9, 11)
    ]
    kspaces = [fft2c(image).astype("complex64") for image in images]
    features = {
        "kspace": tensor((None, None), "complex64"),
        "max": tfds.features.Scalar(np.float32),
        "two": tensor((8, 9, 2)),
        "coils": tensor((None, None, None), "complex64"),
    }
    two = rng.normal(size=(2, 8, 9, 2)).astype("float32")
    records = [
        (i, {"kspace": k, "max": 4.0, "two": two[i], "coils": k[None]})
        for i, k in enumerate(kspaces)
    ]
    builder = store(tmp_path, {"train": records}, features, file_format)

    settings = {"batch_size": 2, "shuffle": False, "image_key": "kspace"}
    ((x, y),) = pipeline(builder, "train", size=(8, 8), **settings)
    # The centre, 6 and 4 or 5, comes to 4 and 4.
    for image, w, found in zip(images, (0, 1), x.numpy()):
        expected = image[2:10, w : w + 8] / 4
        np.testing.assert_allclose(found[..., 0], expected.real, atol=1e-6)
        np.testing.assert_allclose(found[..., 1], expected.imag, atol=1e-6)
    np.testing.assert_array_equal(x, y)

    magnitude = pipeline(
        builder, "train", size=(8, 8), target="magnitude", **settings
    )
    assert magnitude.element_spec[1].shape == (None, 8, 8, 1)
    ((x, y),) = magnitude
    np.testing.assert_allclose(
        y[..., 0], np.hypot(x[..., 0], x[..., 1]), rtol=1e-6
    )

    ((x, _),) = pipeline(builder, "train", 2, shuffle=False, image_key="two")
    np.testing.assert_array_equal(x, two)

    dataset = pipeline(builder, "train", **settings)
    with pytest.raises(tf.errors.OpError, match=r"\(12, 9\).*`size`.*12, 11"):
        list(dataset)
    with pytest.raises(ValueError, match="`image_key`.*one coil.*coils"):
        pipeline(builder, "train", image_key="coils")


def test_kspace_of_fastmri_becomes_its_images(tmp_path):
    write_fastmri_dataset(
        tmp_path / "files",
        {"singlecoil_train": 2},
        slices=2,
        size=(32, 20),
        recon_size=(16, 16),
    )
    config = tfds.download.DownloadConfig(manual_dir=tmp_path / "files")
    images = {}
    for kind, size in (
        ("knee_singlecoil", 16),
        ("knee_singlecoil_kspace", None),
    ):
        builder = tfds.builder(
            "fastmri_slices",
            config=FastmriSlicesConfig(kind, size=size),
            data_dir=tmp_path,
        )
        builder.download_and_prepare(download_config=config)
        settings = {"batch_size": 4, "seed": 2}
        if size is None:
            settings |= {"size": (16, 16), "image_key": "kspace"}
            settings["target"] = "magnitude"
        ((_, images[kind]),) = pipeline(builder, "train", **settings)
    assert np.ptp(images["knee_singlecoil"]) > 0.9
    np.testing.assert_allclose(*images.values(), atol=1e-5)


def test_augment_may_be_any_function(builders):
    def augment(image, rng):
        return image + 1000, 2 * image

    dataset = pipeline(
        builders["tfrecord"], "train", shuffle=False, augment=augment
    )
    x, y = next(iter(dataset))
    np.testing.assert_array_equal(x[:, 0, 0, 0], np.arange(16) + 1000)
    np.testing.assert_array_equal(y[:, 0, 0, 0], 2 * np.arange(16))


def test_offsets_are_those_of_the_records(builders):
    builder = builders["tfrecord"]
    for file in builder.info.splits["train"].file_instructions:
        content = open(file.filename, "rb").read()
        records = [r.numpy() for r in tf.data.TFRecordDataset(file.filename)]
        offsets = record_offsets(file.filename)
        assert [content[b : b + n] for b, n in offsets] == records


@pytest.mark.parametrize("keep", [0, 5, 20, -1, -30])
def test_truncated_files_are_named(builders, tmp_path, keep):
    folder = tmp_path / "1.0.0"
    shutil.copytree(builders["tfrecord"].data_path, folder)
    (name, *_) = sorted(folder.glob("*train.tfrecord*"))
    name.write_bytes(name.read_bytes()[:keep])
    copy = tfds.builder_from_directory(str(folder))
    with pytest.raises(ValueError, match=name.name):
        pipeline(copy, "train")


@pytest.mark.parametrize(
    "kwargs, match",
    [
        ({"batch_size": 0}, "`batch_size`.*batch_size=0"),
        ({"batch_size": 2.0}, "`batch_size`"),
        ({"batch_size": 24, "drop_remainder": True}, "`batch_size`.*23"),
        ({"seed": -1}, "`seed`"),
        ({"target": "kspace"}, "`target`"),
        ({"split": None}, "`split`.*string"),
        ({"split": "trian"}, "trian"),
        ({"image_key": "img"}, "`image_key`.*'image'.*img"),
        ({"image_key": "volume"}, "`image_key`.*float32.*volume"),
        ({"image_key": "kspace"}, "`image_key`"),
        ({"size": 8}, "`size`"),
        ({"source": "no_such_data_set"}, "`source`.*no_such_data_set"),
        ({"source": "mni_brain/320"}, "`source`.*prepared"),
        ({"source": np.zeros((3, 4, 4, 1))}, "`split`.*array.*train"),
        (
            {"source": np.zeros((3, 4, 4, 1)), "split": None, "cache": True},
            "`cache`",
        ),
        ({"source": np.zeros((3, 4, 4)), "split": None}, r"`source`.*3, 4, 4"),
        (
            {"source": np.zeros((3, 4, 4, 1), int), "split": None},
            "`source`.*int",
        ),
        (
            {"source": np.zeros((3, 4, 4, 1), "complex64"), "split": None},
            "`source`.*complex64",
        ),
    ],
)
def test_invalid_arguments(builders, tmp_path, kwargs, match):
    kwargs = {
        "source": builders["tfrecord"],
        "split": "train",
        "data_dir": tmp_path,
        **kwargs,
    }
    with pytest.raises(ValueError, match=match):
        pipeline(**kwargs)


def test_by_name(builders):
    builder = builders["tfrecord"]
    dataset = pipeline(
        "slices", "validation", 2, data_dir=builder.data_path.parent.parent
    )
    assert sorted(flat(codes(dataset))) == list(range(100, 105))
