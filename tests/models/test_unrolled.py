"""Properties that all unrolled networks share."""

import functools

import keras
import numpy as np
import pytest
from saved_apart import loaded_with_weights_apart

import loupe_tf
from loupe_tf import models, numpy_fourier

SIZE = (9, 10)


def small(channels_in, channels_out):
    """A network that is not zero at the start."""
    return keras.Sequential(
        [
            keras.Input((None, None, channels_in)),
            keras.layers.Conv2D(4, 3, padding="same", activation="relu"),
            keras.layers.Conv2D(channels_out, 3, padding="same"),
        ]
    )


def modl(**kwargs):
    return models.MoDL(small(2, 2), solver_iterations=3, **kwargs)


def xpdnet(**kwargs):
    return models.XPDNet(small(6, 4), buffers=2, **kwargs)


def pdnet(**kwargs):
    return models.PDNet(small(6, 4), small(8, 4), buffers=2, **kwargs)


def varnet(**kwargs):
    return models.VarNet(small(2, 2), **kwargs)


ALL = [modl, xpdnet, pdnet, varnet]
# Compiling takes longer than these tests run: `make test` trains some of the
# networks on each backend, and `make test-all` all of them.
LATER = {
    "tensorflow": [pdnet],
    "jax": [modl, xpdnet, varnet],
    "torch": [],
}[keras.backend.backend()]
SOME = [
    pytest.param(make, marks=[pytest.mark.slow] * (make in LATER))
    for make in ALL
]


def scan(rng, coils=3, batch=2, size=SIZE):
    """K-space, mask and maps as a reconstructor takes them."""
    draw = lambda *shape: rng.normal(size=(*shape, 2)) @ [1, 1j]  # noqa: E731
    mask = (rng.uniform(size=(1, *size)) < 0.5).astype("float32")
    mask[:, 3:6, 3:6] = 1
    maps = draw(batch, coils, *size)
    maps /= np.sqrt((np.abs(maps) ** 2).sum(1, keepdims=True))
    if coils == 1:
        maps = np.ones_like(maps)
    image = draw(batch, *size)
    kspace = mask[:, None] * numpy_fourier.fft2c(maps * image[:, None])
    return [channels(kspace), mask[..., None], channels(maps)], image


def channels(x):
    return np.stack([x.real, x.imag], -1).astype("float32")


def run(model, inputs):
    return keras.ops.convert_to_numpy(model(inputs))


@pytest.mark.parametrize("make", ALL)
def test_examples_coils_and_scale(rng, make):
    """Neither other examples, nor the order of coils, nor the unit matters.

    Zeros in k-space or maps give zeros or finite numbers, no NaN.
    """
    (kspace, mask, maps), _ = scan(rng)
    turned = [2, 0, 1]
    zeros = np.zeros_like(kspace[:1])
    found = run(
        make(iterations=2, normalize=True),
        [
            np.concatenate(
                [kspace, kspace[:, turned], 1e-6 * kspace, zeros, kspace[:1]]
            ),
            mask,
            np.concatenate([maps, maps[:, turned], maps, maps[:1], zeros]),
        ],
    )
    assert found.shape == (8, *SIZE, 2)
    np.testing.assert_allclose(found[2:4], found[:2], atol=1e-5)
    np.testing.assert_allclose(1e6 * found[4:6], found[:2], atol=1e-4)
    assert np.isfinite(found).all()
    assert np.abs(found[0] - found[1]).max() > 1e-3


@pytest.mark.parametrize("make", ALL)
def test_one_coil_needs_no_maps(rng, make):
    (kspace, mask, maps), _ = scan(rng, coils=1)
    model = make(iterations=1)
    np.testing.assert_allclose(
        run(model, [kspace, mask]), run(model, [kspace, mask, maps]), atol=1e-5
    )


@pytest.mark.parametrize("make", ALL)
def test_number_of_weights(make):
    """Shared, it does not depend on the iterations."""
    shapes = [(None, 3, *SIZE, 2), (None, *SIZE, 1), (None, 3, *SIZE, 2)]

    def count(**kwargs):
        model = make(**kwargs)
        model.build(shapes)
        return model.count_params()

    once = count(iterations=1, shared=True)
    assert count(iterations=3, shared=True) == once
    assert count(iterations=3, shared=False) == 3 * once


@functools.cache
def trained(make, checkpointing):
    """A learned mask and a network after two steps, and its first weights.

    One of the examples has no signal, and another no coil.
    """
    keras.utils.set_random_seed(0)
    model = models.loupe_model(
        (*SIZE, 2),
        acceleration=3,
        coils=2,
        calibration=3,
        reconstructor=make(iterations=2, checkpointing=checkpointing),
        seed=0,
    )
    rng = np.random.default_rng(0)
    (_, _, maps), image = scan(rng, coils=2, batch=4)
    kspace = channels(numpy_fourier.fft2c((maps @ [1, 1j]) * image[:, None]))
    kspace[0] = 0
    maps[1] = 0
    before = model.get_weights()
    model.compile(keras.optimizers.SGD(1e-2), loss="mse")
    for _ in range(2):
        model.train_on_batch([kspace, maps], channels(image))
    return model, before


@pytest.mark.parametrize("make", SOME)
def test_checkpointing_trains_alike(make):
    """All weights move, those of the mask too, and by the same amounts."""
    plain, before = trained(make, False)
    model, _ = trained(make, True)
    for weight, old, a, b in zip(
        plain.weights, before, plain.get_weights(), model.get_weights()
    ):
        assert np.isfinite(a).all(), weight.path
        np.testing.assert_allclose(a, b, atol=1e-5, err_msg=weight.path)
        assert not weight.trainable or np.abs(a - old).max() > 0, weight.path


@pytest.mark.parametrize("make", SOME)
def test_saved(tmp_path, make):
    model, _ = trained(make, False)
    (kspace, mask, maps), _ = scan(np.random.default_rng(1), coils=2)
    model.save(tmp_path / "whole.keras")
    loaded = keras.models.load_model(tmp_path / "whole.keras")
    expected = run(model, [kspace, maps])
    np.testing.assert_allclose(run(loaded, [kspace, maps]), expected, atol=1e-6)
    model.reconstructor.save(tmp_path / "part.keras")
    loaded = keras.models.load_model(tmp_path / "part.keras")
    mask = loupe_tf.masks.from_model(model).array[None, ..., None]
    kspace = kspace * mask[:, None]
    np.testing.assert_allclose(
        run(loaded, [kspace, mask.astype("float32"), maps]),
        expected,
        atol=1e-5,
    )


@pytest.mark.parametrize("iterations", [2, 3, 5])
@pytest.mark.parametrize("make", ALL)
def test_copies_are_saved_apart(tmp_path, make, iterations):
    """Each iteration has weights of its own, also after loading."""
    network = make(iterations=iterations)
    inputs = scan(np.random.default_rng(1), coils=2)[0]
    expected = run(network, inputs)
    loaded = loaded_with_weights_apart(network, tmp_path / "network.keras")
    np.testing.assert_allclose(run(loaded, inputs), expected, atol=1e-6)


@pytest.mark.slow
def test_batch_statistics_with_checkpointing(rng):
    """Each iteration updates them once, and the gradient knows of training."""
    weights = []
    for checkpointing in (False, True):
        keras.utils.set_random_seed(0)
        network = keras.Sequential(
            [
                keras.Input((None, None, 2)),
                keras.layers.Conv2D(2, 3, padding="same"),
                keras.layers.BatchNormalization(),
            ]
        )
        model = models.MoDL(
            network,
            iterations=2,
            solver_iterations=1,
            checkpointing=checkpointing,
        )
        (kspace, mask, maps), _ = scan(np.random.default_rng(0))
        whole = models.Loupe(
            (*SIZE, 2),
            loupe_tf.samplers.GivenMask(mask[0, ..., 0] > 0),
            model,
            coils=3,
        )
        whole.compile(keras.optimizers.SGD(0.1), loss="mse")
        whole.train_on_batch([kspace, maps], np.ones((2, *SIZE, 2), "float32"))
        weights.append(network.get_weights())
    for plain, checkpointed in zip(*weights):
        np.testing.assert_allclose(plain, checkpointed, rtol=1e-4, atol=1e-6)
    assert np.abs(weights[0][-2]).max() > 0


def drawn_masks(seed, batch):
    """Points, or columns over all rows, of an R from a range."""
    rng = np.random.default_rng(seed)
    masks = np.zeros((batch, *SIZE, 1), "float32")
    for mask in masks:
        draw = rng.choice(
            [loupe_tf.masks.gaussian, loupe_tf.masks.random_lines]
        )
        mask[..., 0] = draw(
            SIZE, rng.uniform(1.5, 3), 3, seed=int(rng.integers(99))
        ).array
    return masks


class Drawn(keras.utils.PyDataset):
    """One batch, with other masks whenever it is taken."""

    def __init__(self, kspace, maps, images):
        super().__init__()
        self.batch = (kspace, maps), images
        self.taken = []

    def __len__(self):
        return 1

    def __getitem__(self, index):
        (kspace, maps), images = self.batch
        masks = drawn_masks(len(self.taken), len(kspace))
        self.taken.append(masks)
        return (kspace, maps, masks), images


@pytest.mark.parametrize(
    "make", [pytest.param(modl, marks=pytest.mark.slow), varnet]
)
def test_masks_drawn_anew_for_each_batch(rng, make):
    """Each example is rebuilt by its own mask, be it of points or columns."""
    keras.utils.set_random_seed(0)
    model = models.loupe_model(
        (*SIZE, 2),
        mask_input=True,
        coils=2,
        reconstructor=make(iterations=2),
    )
    (_, _, maps), image = scan(rng, coils=2, batch=3)
    # Outside the head there are no sensitivities.
    maps[:, :, :, :3] = 0
    kspace = channels(numpy_fourier.fft2c((maps @ [1, 1j]) * image[:, None]))
    batches = Drawn(kspace, maps, channels(image))
    before = model.get_weights()
    model.compile(keras.optimizers.SGD(1e-2), loss="mse")
    model.fit(batches, epochs=3, verbose=0)
    assert len({masks.sum() for masks in batches.taken}) > 1
    for weight, old, new in zip(model.weights, before, model.get_weights()):
        assert np.isfinite(new).all(), weight.path
        assert np.abs(new - old).max() > 0, weight.path
    masks = np.concatenate([drawn_masks(0, 2), np.ones((1, *SIZE, 1))])
    masks[1, ..., 0] = loupe_tf.masks.random_lines(SIZE, 2, 3, seed=0).array
    found = model.predict([kspace, maps, masks], verbose=0)
    for i, mask in enumerate([masks[0], masks[1, :1], masks[2, :1, :1]]):
        alone = model.reconstructor(
            [
                kspace[i : i + 1] * masks[i],
                mask[None].astype("float32"),
                maps[i : i + 1],
            ]
        )
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(alone)[0], found[i], atol=1e-5
        )


@pytest.mark.parametrize(
    "argument, kwargs",
    [
        ("network", {"network": 3}),
        ("iterations", {"iterations": 0}),
    ],
)
def test_invalid(argument, kwargs):
    with pytest.raises(ValueError, match=f"`{argument}`"):
        models.MoDL(**kwargs)


def by_hand(make, inputs, outputs, **kwargs):
    """What `with_unet` saves a user from writing."""
    network = models.unet(
        (*SIZE, inputs),
        output_channels=outputs,
        filters=2,
        depth=2,
        dropout=0.2,
        normalization="instance",
    )
    return make(network, iterations=2, shared=False, normalize=True, **kwargs)


@pytest.mark.parametrize(
    "make, inputs, outputs, given, others",
    [
        (models.MoDL, 2, 2, {}, {"solver_iterations": 4}),
        (models.MoDL, 2, 2, {"solver_iterations": 1}, {}),
        (models.VarNet, 2, 2, {"combine": "rss"}, {}),
        (models.ProximalGradient, 2, 2, {}, {}),
        (models.XPDNet, 12, 10, {}, {}),
        (models.XPDNet, 6, 4, {"buffers": 2}, {}),
        (models.PDNet, 6, 4, {"buffers": 2}, {}),
    ],
)
def test_with_unet_makes_what_one_makes_by_hand(
    rng, tmp_path, make, inputs, outputs, given, others
):
    scanned, _ = scan(rng, coils=2, batch=1)
    found = []
    for build in (
        lambda: make.with_unet(
            SIZE, filters=2, depth=2, dropout=0.2, iterations=2, **given
        ),
        lambda: by_hand(make, inputs, outputs, **given, **others),
    ):
        keras.utils.set_random_seed(3)
        model = build()
        model.build([x.shape for x in scanned])
        config = {k: v for k, v in model.get_config().items() if k != "name"}
        found.append((model, model.get_weights(), config))
    (model, weights, config), (other, expected, other_config) = found
    assert config == other_config
    assert len(weights) == len(expected)
    for ours, theirs in zip(weights, expected):
        np.testing.assert_array_equal(ours, theirs)
    if others:  # It takes long, and only its config is of interest.
        return
    for each in model, other:  # The last convolution is zero at first.
        each.set_weights([w + 0.01 for w in weights])
    image = run(model, scanned)
    np.testing.assert_array_equal(image, run(other, scanned))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(run(loaded, scanned), image, atol=1e-6)


def test_with_unet_has_the_settings_that_were_compared():
    modl = models.MoDL.with_unet([12, 14])
    config = modl.get_config()
    assert config["iterations"] == 5 and config["solver_iterations"] == 4
    assert config["normalize"] and not config["shared"]
    first, *others = modl.networks
    assert first.input_shape == first.output_shape == (None, 12, 14, 2)
    expected = models.unet(
        *((12, 14, 2), 2), filters=8, depth=3, normalization="instance"
    )
    assert first.count_params() == expected.count_params()
    assert len(others) == 4 and others[0].count_params() > 0
    volumes = models.VarNet.with_unet((4, 8, 8), filters=1, depth=2)
    assert volumes.networks[0].input_shape == (None, 4, 8, 8, 2)


@pytest.mark.parametrize(
    "argument, size, kwargs",
    [
        ("size", (12, 14, 2), {}),
        ("size", (3, 14), {}),
        ("size", 12, {}),
        ("size", (12.0, 14), {}),
        ("depth", SIZE, {"depth": 0}),
        ("filters", SIZE, {"filters": 0}),
        ("dropout", SIZE, {"dropout": 1}),
        ("buffers", SIZE, {"buffers": 0}),
    ],
)
def test_with_unet_refuses(argument, size, kwargs):
    with pytest.raises(ValueError, match=f"argument `{argument}`"):
        models.XPDNet.with_unet(size, **kwargs)


@pytest.mark.parametrize(
    "make, match",
    [
        (models.TotalVariationDescent, "TotalVariationDescent has a penalty"),
        (models.NCPDNet, "NCPDNet.*pass one as its `network`"),
    ],
)
def test_without_settings_of_a_unet(make, match):
    with pytest.raises(NotImplementedError, match=match):
        make.with_unet(SIZE)


def test_coils_without_maps(rng):
    (kspace, mask, _), _ = scan(rng)
    with pytest.raises(ValueError, match="`maps`"):
        modl()([kspace, mask])


def test_copies_of_a_layer_are_restored(rng, tmp_path):
    """A layer, unlike a functional model, has weights only once it is built."""
    inputs, _ = scan(rng)
    network = models.VarNet(
        keras.layers.Conv2D(2, 3, padding="same"), iterations=2
    )
    expected = keras.ops.convert_to_numpy(network(inputs))
    network.save(tmp_path / "varnet.keras")
    loaded = keras.models.load_model(tmp_path / "varnet.keras")
    found = keras.ops.convert_to_numpy(loaded(inputs))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_frozen_network_stays_frozen(tmp_path):
    network = models.MoDL(small(2, 2), iterations=1, solver_iterations=1)
    model = loupe_tf.models.loupe_model(
        (*SIZE, 1), mask=np.ones(SIZE, bool), reconstructor=network
    )
    assert model.trainable_weights
    network.trainable = False
    assert not model.trainable_weights
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert not loaded.reconstructor.trainable and not loaded.trainable_weights


def test_checkpointing_keeps_the_losses_of_layers(rng):
    inputs, _ = scan(rng)
    totals = []
    for checkpointing in (False, True):
        keras.utils.set_random_seed(0)
        layer = keras.layers.Conv2D(
            2, 3, padding="same", activity_regularizer="l2"
        )
        network = models.VarNet(
            layer, iterations=2, shared=True, checkpointing=checkpointing
        )
        network(inputs)
        network(inputs, training=True)
        totals.append(float(sum(network.losses)))
    assert totals[0] > 0
    np.testing.assert_allclose(totals[1], totals[0], rtol=1e-5)
