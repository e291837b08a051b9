import keras
import numpy as np
import pytest

from loupe_tf import models
from loupe_tf.numpy_fourier import fft2c
from loupe_tf.regimes import HoldOut, held_out_loss


def numpy(x):
    return keras.ops.convert_to_numpy(x)


def complex_(x):
    return x[..., 0] + 1j * x[..., 1]


def test_the_loss_is_that_of_the_equations(scans, network):
    """SSDU's loss of each example, in NumPy."""
    (kspace, mask, maps), _ = scans
    regime = HoldOut(network, seed=0)
    found = regime([kspace, mask, maps], training=True)
    twin = HoldOut(network, seed=0)
    seen, held = (numpy(x) for x in twin.split(mask, True))
    measured = np.where(seen[:, None] > 0, kspace, 0)
    image = numpy(network([measured, seen, maps], training=True))
    np.testing.assert_allclose(numpy(found["image"]), image, atol=1e-6)
    predicted = fft2c(complex_(maps) * complex_(image)[:, None])
    for i, value in enumerate(numpy(found["loss"])):
        chosen = np.broadcast_to(held[i, ..., 0] > 0, (2, 16, 18))
        u, v = complex_(kspace[i])[chosen], predicted[i][chosen]
        lengths = np.linalg.norm(u - v) / np.linalg.norm(u)
        sums = np.abs(u - v).sum() / np.abs(u).sum()
        assert value == pytest.approx((lengths + sums) / 2, rel=1e-4)


def test_nothing_leaks(scans, network):
    """What is held out changes the loss, not the image."""
    (kspace, mask, maps), _ = scans
    _, held = (numpy(x) for x in HoldOut(network, seed=0).split(mask, True))
    other = kspace + 5 * held[:, None]
    images, losses = zip(
        *(
            (numpy(found["image"]), numpy(found["loss"]))
            for found in (
                HoldOut(network, seed=0)([x, mask, maps], training=True)
                for x in (kspace, other)
            )
        )
    )
    np.testing.assert_array_equal(*images)
    assert (losses[0] != losses[1]).all()


def test_several_splits_are_the_mean_of_each(scans, network):
    inputs, _ = scans
    several = HoldOut(network, splits=3, seed=0)
    found = several(inputs, training=True)
    losses = numpy(found["loss"]).reshape(3, 6)
    assert (losses.std(axis=0) > 0).all()
    assert found["image"].shape[0] == 6
    several.compile("adam")
    loss = several.train_on_batch(inputs)[0]
    assert np.isfinite(loss) and abs(loss - losses.mean()) < 0.2


def test_weights_correct_for_what_is_rarely_acquired():
    """Monte Carlo: the weighted loss is the error on all that is not seen.

    An image that is predicted as zero has the error `‖F x‖²` there. Masks and
    splits are drawn many times, with probabilities that fall outwards.
    """
    rng = np.random.default_rng(0)
    count, shape = 4000, (7, 8)
    rows, columns = np.indices(shape)
    probability = 0.2 + 0.7 * np.exp(
        -((rows - 3) ** 2 + (columns - 4) ** 2) / 8
    )
    probability = probability.astype("float32")
    mask = (rng.uniform(size=(count, *shape)) < probability)[..., None]
    mask = mask.astype("float32")
    full = rng.normal(size=(1, 1, *shape, 2)).astype("float32")
    regime = HoldOut(
        models.AdjointNetwork(reconstruction="complex"),
        keep=None,
        ratio=0.5,
        probability=probability,
        norm="squared",
        seed=0,
    )
    seen, held = regime.split(mask, True)
    weight = numpy(regime.weight(seen, held))
    seen, held = numpy(seen), numpy(held)
    power = (full[:, 0] ** 2).sum(axis=-1, keepdims=True)
    difference = (held * weight - (1 - seen)) * power
    difference = difference.sum(axis=(1, 2, 3)) / power.sum()
    error = difference.std() / np.sqrt(count)
    # Numbers of exact size are not quite independent: 1 % of the whole.
    assert abs(difference.mean()) < 3 * error + 0.01
    unweighted = ((held - (1 - seen)) * power).sum(axis=(1, 2, 3)) / power.sum()
    assert abs(unweighted.mean()) > 0.2


def test_the_weight_is_that_of_millard_and_chiew(scans, network):
    _, mask, _ = scans[0]
    probability = np.linspace(0.1, 1, 16 * 18).reshape(16, 18)
    regime = HoldOut(network, probability=probability, keep=4, seed=0)
    seen, held = regime.split(mask, True)
    weight = numpy(regime.weight(seen, held))
    held = numpy(held)
    for i in range(len(mask)):
        ratio = held[i].sum() / (mask[i].sum() - 16)
        kept = 1 - ratio
        k = (1 - probability) / (1 - kept * probability)
        chosen = held[i, ..., 0] > 0
        np.testing.assert_allclose(
            weight[i, ..., 0][chosen], 1 / (1 - k[chosen]), rtol=1e-4
        )


@pytest.mark.parametrize("norm", ["mixed", "squared"])
def test_empty_examples_have_no_loss_and_finite_gradients(gradient, norm):
    rng = np.random.default_rng(0)
    kspace = rng.normal(size=(3, 1, 6, 7, 2)).astype("float32")
    kspace[0] = 0
    held = np.ones((3, 6, 7, 1), "float32")
    held[1] = 0
    predicted = kspace.copy()  # The third is perfect: a root at zero.

    def loss(x):
        return keras.ops.sum(held_out_loss(kspace, x, held, None, norm))

    assert float(loss(predicted)) == 0
    assert np.isfinite(gradient(loss, predicted)).all()
    each = numpy(held_out_loss(kspace, predicted + 1, held, None, norm))
    assert each[0] == each[1] == 0 < each[2]


@pytest.mark.parametrize(
    "weighted", [False, pytest.param(True, marks=pytest.mark.graph)]
)
def test_training_survives_empty_slices(scans, network, weighted):
    """All-zero slices, and masks that leave nothing to hold out."""
    kspace, mask, maps = (x.copy() for x in scans[0])
    kspace[0] = 0
    mask[1] = 0
    mask[1, 6:10, 7:11] = 1
    mask[2] = 0
    probability = np.ones((16, 18)) if weighted else None
    regime = HoldOut(network, probability=probability, seed=0)
    regime.compile(keras.optimizers.Adam(1e-2))
    history = regime.fit([kspace, mask, maps], epochs=2, verbose=0).history
    assert history["refused"] == [pytest.approx(2 / 6)] * 2
    assert np.isfinite(history["loss"]).all()
    assert all(np.isfinite(w).all() for w in network.get_weights())


def test_bright_slices_count_as_much_as_dark_ones(scans, network):
    (kspace, mask, maps), _ = scans
    bright = kspace * np.float32([1, 1000, 1, 1, 1, 1]).reshape(-1, 1, 1, 1, 1)
    losses = [
        numpy(HoldOut(network, seed=0)([x, mask, maps], training=True)["loss"])
        for x in (kspace, bright)
    ]
    np.testing.assert_allclose(*losses, rtol=1e-3)


def test_arguments_are_checked(network):
    for arguments, name in (
        ({"ratio": 1.0}, "`ratio`"),
        ({"kind": "x"}, "`kind`"),
        ({"lines": "both"}, "`lines`"),
        ({"splits": 0}, "`splits`"),
        ({"norm": "l1"}, "`norm`"),
        ({"probability": np.full((3, 3), 2)}, "`probability`"),
        ({"probability": np.ones((3, 3)), "kind": "gaussian"}, "`kind`"),
        ({"seed": 0.5}, "`seed`"),
        ({"keep": -1}, "`keep`"),
        ({"keep": "all"}, "`keep`"),
    ):
        with pytest.raises(ValueError, match=name):
            HoldOut(network, **arguments)


def test_boolean_masks(scans, network):
    (kspace, mask, maps), _ = scans
    regime = HoldOut(network, seed=0)
    expected = numpy(regime([kspace, mask, maps]))
    found = numpy(regime([kspace, mask > 0, maps]))
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="tf.distribute"
)
def test_the_loss_of_a_replica_is_its_share(scans, network):
    """TensorFlow sums the gradients of replicas."""
    import tensorflow as tf

    (kspace, mask, maps), _ = scans
    alone = HoldOut(network, seed=0)
    inputs = [kspace, mask, maps]
    one = float(alone.compute_loss(inputs, None, alone(inputs, training=True)))

    class Two:
        num_replicas_in_sync = 2

    twin = HoldOut(network, seed=0)
    found = twin(inputs, training=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tf.distribute, "get_strategy", Two)
        share = float(twin.compute_loss(inputs, None, found))
    assert share == pytest.approx(one / 2)


def test_what_is_not_held_out_may_be_infinite():
    """Neither the loss nor its gradient, by the samples held out, sees it."""
    rng = np.random.default_rng(0)
    kspace, predicted = rng.normal(size=(2, 1, 2, 4, 5, 2)).astype("float32")
    held = np.zeros((1, 4, 5, 1), "float32")
    held[0, 1:3, 2] = 1
    expected = keras.ops.convert_to_numpy(
        held_out_loss(kspace, predicted, held)
    )
    kspace[:, :, 0, 0], predicted[:, :, 3, 4] = np.nan, np.inf

    class Factor(keras.layers.Layer):
        def build(self, shape):
            self.factor = self.add_weight(shape=(4, 5, 1), initializer="ones")

        def call(self, x):
            return x * self.factor

    inputs = keras.Input((2, 4, 5, 2))
    model = keras.Model(inputs, Factor()(inputs))
    model.compile(
        keras.optimizers.SGD(0.1),
        loss=lambda y, x: held_out_loss(
            y, x, keras.ops.convert_to_tensor(held)
        ),
    )
    found = model.train_on_batch(predicted, kspace)
    np.testing.assert_allclose(found, expected[0], rtol=1e-5)
    (factor,) = model.get_weights()
    seen = held[0] == 0
    assert np.isfinite(factor[~seen]).all() and (factor[~seen] != 1).any()
    finite = np.isfinite(predicted[0, 0]).all(-1, keepdims=True)
    assert (factor[seen & finite] == 1).all()
