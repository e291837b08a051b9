import h5py
import keras
import numpy as np
import pytest
import tensorflow_datasets as tfds
from keras import ops

import loupe_tf
from loupe_tf.datasets import coil_pipeline, write_fastmri_volume
from loupe_tf.datasets.feeding import cached_maps, slice_batches
from loupe_tf.datasets.feeding.split_coils import SplitCoils
from loupe_tf.reading import BadFileError
from loupe_tf.reconstruction import espirit_maps

SIZE = (13, 15)
ESPIRIT = {"calibration": 9, "kernel_size": 3, "iterations": 20}
COILS = {"train": (3, 4, 3), "val": (4,)}
backend = keras.backend.backend()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Brains of 3 and of 4 coils, two slices each."""
    folder = tmp_path_factory.mktemp("manual")
    for part, counts in COILS.items():
        (folder / f"multicoil_{part}").mkdir()
        for i, coils in enumerate(counts):
            write_fastmri_volume(
                folder / f"multicoil_{part}" / f"file_brain_{i}.h5",
                slices=2,
                size=(23, 18),
                recon_size=SIZE,
                coils=coils,
                acquisition="AXT2",
                seed=(i, len(counts)),
            )
    # One volume in both splits would be refused.
    path = folder / "multicoil_val" / "file_brain_0.h5"
    path.rename(path.with_name("file_brain_9.h5"))
    return folder


@pytest.fixture(scope="module")
def builder(files, tmp_path_factory):
    builder = tfds.builder(
        "fastmri_slices/brain_multicoil",
        data_dir=tmp_path_factory.mktemp("data"),
    )
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=files)
    )
    return builder


@pytest.fixture(scope="module")
def maps_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("maps")


@pytest.fixture
def batches(builder, maps_dir):
    """`batches(...)`: those of the data set, with the cache of the module."""

    def make(split="train", batch_size=2, source=builder, **kwargs):
        kwargs = {"size": SIZE, "maps_dir": maps_dir, **ESPIRIT, **kwargs}
        return coil_pipeline(source, split, batch_size, **kwargs)

    return make


def epoch(batches):
    """All slices of an epoch: k-space, maps and targets, as arrays."""
    if isinstance(batches, keras.utils.PyDataset):
        batches = [batches[i] for i in range(len(batches))]
    parts = [(*x, y) for x, y in batches]
    return [
        np.concatenate([np.asarray(p) for p in part]) for part in zip(*parts)
    ]


def centred(transform, array):
    array = np.fft.ifftshift(array, axes=(-2, -1))
    return np.fft.fftshift(transform(array, norm="ortho"), axes=(-2, -1))


def expected_slices(files, part="train"):
    """Complex k-space, maps and image of each slice, by NumPy alone."""
    for path in sorted((files / f"multicoil_{part}").glob("*.h5")):
        with h5py.File(path) as file:
            volume, largest = file["kspace"][()], file.attrs["max"]
        for kspace in volume:
            # The centre of 23 rows and 18 columns, 11 and 9, becomes 6 and 7.
            images = centred(np.fft.ifft2, kspace)[:, 5:18, 2:17]
            kspace = centred(np.fft.fft2, images).astype("complex64")
            maps = espirit_maps(kspace, np.ones(SIZE, bool), **ESPIRIT)
            image = (maps.conj() * images).sum(axis=0)
            yield kspace / largest, maps, image / largest


def test_values(files, batches):
    kspace, maps, images = epoch(batches(shuffle=False))
    assert kspace.shape == maps.shape == (6, 4, *SIZE, 2)
    assert images.shape == (6, *SIZE, 2)
    assert {a.dtype for a in (kspace, maps, images)} == {np.dtype("float32")}
    unit = np.array([1, 1j])
    for i, (k, s, x) in enumerate(expected_slices(files)):
        coils = len(k)
        assert coils == COILS["train"][i // 2]
        np.testing.assert_allclose(kspace[i, :coils] @ unit, k, atol=1e-5)
        np.testing.assert_allclose(maps[i, :coils] @ unit, s, atol=1e-4)
        np.testing.assert_allclose(images[i] @ unit, x, atol=1e-4)
        assert not kspace[i, coils:].any() and not maps[i, coils:].any()
        energy = (maps[i] ** 2).sum(axis=(0, -1))
        assert (np.isclose(energy, 1, atol=1e-4) | (energy == 0)).all()
    magnitudes = np.hypot(images[..., 0], images[..., 1])
    assert 0.8 < magnitudes.max() <= 1 + 1e-5
    *_, found = epoch(batches(shuffle=False, target="magnitude"))
    np.testing.assert_allclose(found[..., 0], magnitudes, rtol=1e-6)


def test_order_depends_on_seed_and_epoch(batches):
    def order(seed, number):
        train = batches(seed=seed)
        train.set_epoch(number)
        return epoch(train)[2]

    in_order = epoch(batches(shuffle=False))[2]
    first = order(0, 0)
    assert sorted(x.tobytes() for x in first) == sorted(
        x.tobytes() for x in in_order
    )
    np.testing.assert_array_equal(first, order(0, 0))
    assert (first != order(0, 1)).any() and (first != order(1, 0)).any()
    # A volume is in one split.
    other = epoch(batches("validation"))[2]
    assert not {x.tobytes() for x in other} & {x.tobytes() for x in first}


def as_datasets(train):
    """What `fit` takes on this backend."""
    if backend == "tensorflow":
        return [train]
    return [train, train.to_tf_dataset()]


@pytest.mark.skipif(backend == "torch", reason="TensorFlow and JAX")
def test_fit(batches):
    import tensorflow as tf

    model = loupe_tf.models.loupe_model(
        (*SIZE, 2),
        acceleration=4,
        coils="any",
        reconstruction="complex",
        data_consistency=True,
        snr=30,
        filters=2,
        depth=1,
        seed=0,
    )
    model.compile(keras.optimizers.Adam(1e-2), loss="mse")
    train, validation = batches(), batches("validation", 2, shuffle=False)
    losses = []
    for dataset in as_datasets(train):
        assert len(dataset) == 3
        if isinstance(dataset, tf.data.Dataset):
            (kspace, maps), images = dataset.element_spec
            assert kspace.shape == maps.shape == (None, 4, *SIZE, 2)
            assert images.shape == (None, *SIZE, 2)
        before = [weights.copy() for weights in model.get_weights()]
        history = model.fit(
            dataset,
            validation_data=validation,
            epochs=2,
            callbacks=[dataset.callback()],
            shuffle=False,
            verbose=0,
        )
        losses += history.history["loss"] + history.history["val_loss"]
        pairs = list(zip(before, model.get_weights()))
        assert any((old != new).any() for old, new in pairs)
    assert np.isfinite(losses).all()


def test_coils_of_zeros_change_nothing(batches):
    model = loupe_tf.models.loupe_model(
        (*SIZE, 2),
        acceleration=2,
        coils="any",
        reconstruction="complex",
        data_consistency=True,
        filters=2,
        depth=1,
        seed=0,
    )
    kspace, maps, images = epoch(batches("train[:2]", coils=6))
    assert kspace.shape[1] == 6 and not kspace[:, 3:].any()
    outputs = [
        ops.convert_to_numpy(model([kspace[:, :n], maps[:, :n]]))
        for n in (3, 4, 6)
    ]
    for output in outputs[1:]:
        np.testing.assert_allclose(output, outputs[0], atol=1e-5)
    assert np.abs(outputs[0] - images).max() > 1e-3


@pytest.fixture
def count(monkeypatch):
    """`count(owner, name)`: a list that grows with each call of a function."""

    def replace(owner, name):
        function, calls = getattr(owner, name), []

        def counted(*args, **kwargs):
            calls.append(name)
            return function(*args, **kwargs)

        monkeypatch.setattr(owner, name, counted)
        return calls

    return replace


def test_maps_are_estimated_once(batches, tmp_path, count):
    estimates = count(cached_maps, "espirit_maps")
    first = epoch(batches("train[:3]", maps_dir=tmp_path))
    assert len(estimates) == 3
    # Another run goes on, on all slices, in another order.
    everything = epoch(batches(maps_dir=tmp_path, shuffle=False))
    assert len(estimates) == 6
    epoch(batches(maps_dir=tmp_path, seed=1))
    assert len(estimates) == 6 == len(list(tmp_path.iterdir()))
    expected = {x.tobytes() for x in everything[1]}
    assert {x.tobytes() for x in first[1]} <= expected
    # Other settings have other maps.
    epoch(batches("train[:1]", maps_dir=tmp_path, calibration=7))
    epoch(batches("train[:1]", maps_dir=tmp_path, size=(13, 13)))
    assert len(estimates) == 8 == len(list(tmp_path.iterdir()))


@pytest.mark.parametrize("change", ["byte", "shorter", "empty"])
def test_damaged_maps_are_named(batches, tmp_path, change):
    fetch(batches("train[:1]", maps_dir=tmp_path), [0])
    (path,) = tmp_path.iterdir()
    content = bytearray(path.read_bytes())
    if change == "byte":
        content[-500] ^= 1
    path.write_bytes(
        {"shorter": content[:-8], "empty": b""}.get(change, content)
    )
    again = batches("train[:1]", maps_dir=tmp_path)
    with pytest.raises(BadFileError, match=f"{path.name}.*Delete the file"):
        fetch(again, [0])


def test_slices_are_read_when_they_are_due(batches, count):
    reads = count(SplitCoils, "_prepare")
    train = batches(batch_size=1)
    assert not reads
    if backend == "tensorflow":
        batch = next(iter(train.prefetch(0).take(1)))
        read_ahead = slice_batches.READ_AHEAD + slice_batches.THREADS
        assert 1 <= len(reads) <= 1 + read_ahead
    else:
        batch = train[5]
        assert len(reads) == 1
    assert batch[1].shape == (1, *SIZE, 2)


def store(folder, kspace, **others):
    """A data set of one record for each array of k-space."""
    features = {
        "kspace": tfds.features.Tensor(
            shape=(None, None, None), dtype=np.complex64, encoding="bytes"
        ),
        **{name: tfds.features.Scalar(np.float32) for name in others},
    }
    records = [
        (i, {"kspace": k.astype("complex64"), **others})
        for i, k in enumerate(kspace)
    ]
    return tfds.dataset_builders.store_as_tfds_dataset(
        name="coils",
        version="1.0.0",
        data_dir=folder,
        features=tfds.features.FeaturesDict(features),
        split_datasets={"train": records},
        disable_shuffling=True,
    )


@pytest.fixture
def noise(rng):
    pair = rng.normal(size=(2, 2, 3, *SIZE))
    return pair[0] + 1j * pair[1]


def fetch(batches, rows=(0, 1)):
    """Read slices as the threads do, so that errors are those of the reader."""
    batches = batches.callback.__self__
    return batches.images.fetch(np.array(rows))


@pytest.mark.parametrize(
    "change, expected",
    [
        ({"value": np.nan}, "finite.*NaN or infinity in kspace of record 1"),
        ({"value": np.inf}, "finite.*NaN or infinity in kspace of record 1"),
        ({"coils": 2}, "at most coils=2 coils.*3 coils of record"),
        ({"max": 0.0}, "max above 0.*max=0.0 of record"),
    ],
)
def test_bad_records_are_named(batches, tmp_path, noise, change, expected):
    noise[1, 2, 3, 4] = change.get("value", 1)
    builder = store(tmp_path, noise, max=change.get("max", 2.0))
    train = batches(source=builder, coils=change.get("coils", 3))
    with pytest.raises(BadFileError, match=f"coils-train.tfrecord.*{expected}"):
        fetch(train)


def test_a_damaged_file_is_named(batches, tmp_path, noise):
    builder = store(tmp_path, noise)
    (path,) = builder.data_path.glob("*.tfrecord*")
    content = bytearray(path.read_bytes())
    content[-99] ^= 1
    path.write_bytes(content)
    train = batches(source=builder, coils=3)
    fetch(train, [0])
    with pytest.raises(BadFileError, match=f"{path.name}.*record 1"):
        fetch(train)


@pytest.mark.filterwarnings("ignore:The mask is densest around the corner")
def test_maps_that_cannot_be_estimated_name_the_record(
    batches, tmp_path, noise
):
    noise[1, :, 3:10] = 0  # The calibration region.
    train = batches(source=store(tmp_path, noise), coils=3, size=None)
    with pytest.raises(ValueError, match="`mask`.*record 1.*tfrecord"):
        fetch(train)


def test_a_slice_of_zeros(batches, tmp_path, noise):
    noise[0] = 0
    train = batches(source=store(tmp_path, noise), coils=3)
    for array in fetch(train, [0]):
        assert not array.any()


def test_without_a_size_or_a_maximum(batches, tmp_path, noise):
    train = batches(source=store(tmp_path, noise), coils=3, size=None)
    kspace, *_ = fetch(train)
    unit = np.array([1, 1j])
    np.testing.assert_array_equal(kspace @ unit, noise.astype("complex64"))


def test_other_sizes_need_a_size(batches, tmp_path, noise):
    kspace = [noise[0], noise[1, :, :, :-1]]
    train = batches(source=store(tmp_path, kspace), coils=3, size=None)
    with pytest.raises(ValueError, match="`size`.*13, 14"):
        fetch(train)


@pytest.mark.parametrize(
    "kwargs, match",
    [
        ({"batch_size": 0}, "`batch_size`"),
        ({"batch_size": 99}, "`batch_size`.*at most 6"),
        ({"coils": 0}, "`coils`"),
        ({"size": 8}, "`size`"),
        ({"seed": -1}, "`seed`"),
        ({"target": "phase"}, "`target`"),
        ({"split": None}, "`split`"),
        ({"width": 3}, "`espirit_options`.*kernel_size.*width"),
        ({"mask": 3}, "`espirit_options`.*mask"),
    ],
)
def test_invalid_arguments(batches, kwargs, match):
    kwargs = {"drop_remainder": True, **kwargs}
    with pytest.raises(ValueError, match=match):
        batches(**kwargs)


def test_data_sets_without_coils(batches, tmp_path, noise):
    with pytest.raises(ValueError, match="`coils`.*does not state"):
        batches(source=store(tmp_path / "a", noise))
    images = tfds.dataset_builders.store_as_tfds_dataset(
        name="images",
        version="1.0.0",
        data_dir=tmp_path / "b",
        features=tfds.features.FeaturesDict(
            {"kspace": tfds.features.Scalar(np.float32)}
        ),
        split_datasets={"train": [(0, {"kspace": 1.0})]},
    )
    with pytest.raises(ValueError, match="`source`.*several coils"):
        batches(source=images)
