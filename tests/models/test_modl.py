import keras
import numpy as np
import pytest

from loupe_tf import models, numpy_fourier
from loupe_tf.operators import conjugate_gradient
from loupe_tf.reconstruction import Sense

SIZE = (9, 10)


def channels(x):
    return np.stack([x.real, x.imag], -1).astype("float32")


def scan(rng):
    """Complex k-space (coils, H, W), mask (H, W) and maps of one slice."""
    draw = lambda *shape: rng.normal(size=(*shape, 2)) @ [1, 1j]  # noqa: E731
    maps = draw(3, *SIZE)
    maps /= np.sqrt((np.abs(maps) ** 2).sum(0))
    mask = rng.uniform(size=SIZE) < 0.5
    kspace = np.where(mask, numpy_fourier.fft2c(maps * draw(*SIZE)), 0)
    return kspace.astype("complex64"), mask, maps.astype("complex64")


def run(model, kspace, mask, maps):
    inputs = [
        channels(kspace)[None],
        mask[None, :, :, None].astype("float32"),
        channels(maps)[None],
    ]
    image = keras.ops.convert_to_numpy(model(inputs))[0]
    return image @ np.array([1, 1j])


def zero():
    """A network whose output is 0."""
    return keras.Sequential(
        [
            keras.Input((None, None, 2)),
            keras.layers.Conv2D(2, 1, kernel_initializer="zeros"),
        ]
    )


@pytest.mark.parametrize("iterations", [1, 2])
def test_without_an_image_it_is_sense(rng, iterations):
    """If the network returns 0, each iteration solves SENSE with λ."""
    pytest.importorskip("sigpy")
    inputs = scan(rng)
    model = models.MoDL(
        zero(),
        iterations=iterations,
        residual=False,
        regularization=0.1,
        solver_iterations=40,
    )
    expected = Sense(0.1, iterations=200)(*inputs)
    np.testing.assert_allclose(run(model, *inputs), expected, atol=1e-4)


def step_of_training(**options):
    """By how much each weight of MoDL and a learned mask moves."""
    keras.utils.set_random_seed(0)
    network = models.cnn(
        (*SIZE, 2),
        depth=2,
        filters=2,
        normalization=None,
        output_initializer="glorot_uniform",
    )
    model = models.loupe_model(
        (*SIZE, 2),
        acceleration=2,
        reconstructor=models.MoDL(
            network,
            iterations=2,
            regularization=2.0,
            solver_iterations=6,
            **options,
        ),
        seed=0,
    )
    model.compile(keras.optimizers.SGD(1.0), loss="mse")
    before = model.get_weights()
    images = np.random.default_rng(0).normal(size=(2, *SIZE, 2))
    images = images.astype("float32")
    model.train_on_batch(images, images)
    steps = [new - old for new, old in zip(model.get_weights(), before)]
    assert sum(np.any(step != 0) for step in steps) >= 5
    return steps


def assert_same_steps(found, expected, tolerance):
    for step, other in zip(found, expected):
        atol = tolerance * np.abs(other).max() + 1e-6
        np.testing.assert_allclose(step, other, atol=atol)


def test_gradient_is_that_of_converged_iterations(monkeypatch):
    """The network, λ and a learned mask have it by one more solve."""
    found = step_of_training()

    def unrolled(normal, *arguments, tensors, **options):
        return conjugate_gradient(
            lambda x: normal(x, *tensors), *arguments, **options
        )

    monkeypatch.setattr("loupe_tf.models.modl.conjugate_gradient", unrolled)
    assert_same_steps(found, step_of_training(), 1e-3)


def test_checkpointing_has_the_same_gradient():
    """The extra solve sees all it needs when a step is computed again."""
    assert_same_steps(
        step_of_training(checkpointing=True), step_of_training(), 1e-4
    )


def test_limits_of_the_weight(rng):
    """Little of the prior leaves the data, much of it the prior's image."""
    kspace, mask, maps = scan(rng)
    network = zero()
    start = np.einsum("chw,chw->hw", maps.conj(), numpy_fourier.ifft2c(kspace))
    prior = models.MoDL(network, iterations=1, regularization=1e6)
    np.testing.assert_allclose(run(prior, kspace, mask, maps), start, atol=1e-4)
    data = models.MoDL(
        network, iterations=1, regularization=1e-6, solver_iterations=60
    )
    found = run(data, kspace, mask, maps)
    predicted = np.where(mask, numpy_fourier.fft2c(maps * found), 0)
    assert np.linalg.norm(predicted - kspace) < 0.02 * np.linalg.norm(kspace)


def test_own_weight_of_each_iteration():
    shapes = [(None, 1, *SIZE, 2), (None, *SIZE, 1)]
    for shared, number in ((True, 1), (False, 3)):
        model = models.MoDL(
            zero(), iterations=3, shared=shared, regularization=0.2
        )
        model.build(shapes)
        found = keras.ops.convert_to_numpy(model.log_weights)
        np.testing.assert_allclose(np.exp(found), [0.2] * number, rtol=1e-6)


def test_default_is_the_papers():
    model = models.MoDL()
    model.build([(None, 1, 320, 320, 2), (None, 320, 320, 1)])
    kernels = [w.shape for w in model.trainable_weights if "kernel" in w.path]
    assert kernels == [(3, 3, 2, 64), *[(3, 3, 64, 64)] * 3, (3, 3, 64, 2)]


@pytest.mark.parametrize(
    "argument, value", [("regularization", 0), ("solver_iterations", 0)]
)
def test_invalid(argument, value):
    with pytest.raises(ValueError, match=f"`{argument}`"):
        models.MoDL(**{argument: value})
