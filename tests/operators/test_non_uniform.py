import keras
import numpy as np
import pytest
from keras import ops

from loupe_tf.numpy_fourier import fft2c, nudft, nudft_adjoint
from loupe_tf.operators import NonUniform

# What single precision leaves.
EXACT = 1e-6


def draw(rng, *shape):
    x = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    return x.astype(np.complex64)


def channels(x):
    return np.stack([x.real, x.imag], axis=-1).astype(np.float32)


def complexes(x):
    return ops.convert_to_numpy(x) @ np.array([1, 1j])


def anywhere(rng, *shape):
    return rng.uniform(-0.5, 0.5, shape).astype(np.float32)


def error(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


def sum_of(x, positions):
    """The exact sum of each coil of each example."""
    examples = np.broadcast_to(positions, (len(x), *positions.shape[1:]))
    return np.stack([nudft(*pair) for pair in zip(x, examples)])


def test_several_trajectories_and_one_image(rng):
    """Each has its samples, of all coils; other numbers are refused."""
    size = (8, 9)
    positions = anywhere(rng, 2, 5, 2)
    maps = channels(draw(rng, 1, 3, *size))
    scan = NonUniform(positions, size, maps)
    image = channels(draw(rng, 1, *size))
    samples = ops.convert_to_numpy(scan.forward(image))
    assert samples.shape == (2, 3, 5, 2)
    back = ops.convert_to_numpy(scan.adjoint(samples))
    for i in range(2):
        one = NonUniform(positions[i : i + 1], size, maps)
        expected = ops.convert_to_numpy(one.forward(image))
        np.testing.assert_allclose(samples[i : i + 1], expected, atol=1e-5)
        expected = ops.convert_to_numpy(one.adjoint(samples[i : i + 1]))
        np.testing.assert_allclose(back[i : i + 1], expected, atol=1e-5)
    assert scan.adjoint(samples[:1]).shape[0] == 2
    for wrong in (3, 4):
        with pytest.raises(ValueError, match=f"`image`.*1 or 2.*of {wrong}"):
            scan.forward(np.repeat(image, wrong, axis=0))
        with pytest.raises(ValueError, match=f"`samples`.*1 or 2.*of {wrong}"):
            scan.adjoint(np.repeat(samples[:1], wrong, axis=0))


# Size, batch of the positions, axes of the samples, coils, read-out D, whether
# the positions are a tensor.
CASES = [
    ((16, 18), 1, (50,), None, (), False),
    ((15, 16), 1, (50,), None, (), True),
    ((7, 9), 2, (5, 11), 3, (), False),
    ((16, 18), 2, (5, 11), 3, (), True),
    ((1, 5), 1, (4, 9), 2, (3,), True),
    ((15, 16), 2, (30,), None, (3,), False),
    ((7, 9), 1, (1,), 2, (), False),
]


@pytest.mark.parametrize("size, batch, samples, coils, depth, tensor", CASES)
def test_exact_sum_and_adjoint(rng, size, batch, samples, coils, depth, tensor):
    positions = anywhere(rng, batch, *samples, 2)
    maps = None if coils is None else draw(rng, 2, coils, *depth, *size)
    given = ops.convert_to_tensor(positions) if tensor else positions
    scan = NonUniform(given, size, None if maps is None else channels(maps))
    x = draw(rng, 2, *depth, *size)
    y = draw(rng, 2, coils or 1, *depth, *samples)
    forward = complexes(scan.forward(channels(x)))
    expected = sum_of(x[:, None] * (1 if maps is None else maps), positions)
    assert forward.shape == y.shape
    # The error of a single sample is not averaged.
    assert error(forward, expected) < (2e-5 if samples != (1,) else 1e-4)
    adjoint = complexes(scan.adjoint(channels(y)))
    assert adjoint.shape == x.shape
    left, right = np.vdot(y, forward), np.vdot(adjoint, x)
    norms = np.linalg.norm(forward) * np.linalg.norm(y)
    assert abs(left - right) < EXACT * norms
    both = complexes(scan.normal(channels(x)))
    again = complexes(scan.adjoint(channels(forward)))
    np.testing.assert_allclose(both, again, atol=1e-4)


@pytest.mark.parametrize("accuracy", [1e-2, 1e-3, 1e-4, 1e-6])
def test_accuracy(rng, accuracy):
    size = (24, 25)
    positions = anywhere(rng, 1, 2000, 2)
    scan = NonUniform(positions, size, accuracy=accuracy)
    x, y = draw(rng, 1, *size), draw(rng, 1, 1, 2000)
    expected = sum_of(x[:, None], positions)
    assert error(complexes(scan.forward(channels(x))), expected) < (
        1.5 * accuracy
    )
    expected = nudft_adjoint(y[0], positions[0], size)
    assert error(complexes(scan.adjoint(channels(y))), expected) < (
        1.5 * accuracy
    )


@pytest.mark.parametrize("tensor", [False, True])
def test_three_axes(rng, tensor):
    size = (5, 6, 7)
    positions = anywhere(rng, 2, 40, 3)
    given = ops.convert_to_tensor(positions) if tensor else positions
    maps = draw(rng, 2, 2, *size)
    scan = NonUniform(given, size, channels(maps), accuracy=1e-6)
    x, y = draw(rng, 2, *size), draw(rng, 2, 2, 40)
    forward = complexes(scan.forward(channels(x)))
    assert error(forward, sum_of(maps * x[:, None], positions)) < 5e-6
    adjoint = complexes(scan.adjoint(channels(y)))
    gap = np.vdot(y, forward) - np.vdot(adjoint, x)
    assert abs(gap) < EXACT * np.linalg.norm(forward) * np.linalg.norm(y)


@pytest.mark.parametrize("size", [(16, 18), (7, 8), (1, 5)])
def test_cartesian_samples(rng, size):
    axes = [(np.arange(n) - n // 2) / n for n in size]
    positions = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    scan = NonUniform(positions[None], size)
    x = draw(rng, 2, *size)
    found = complexes(scan.forward(channels(x)))[:, 0]
    assert error(found, fft2c(x)) < 2e-5
    # The transform is unitary there.
    assert error(complexes(scan.normal(channels(x))), x) < 4e-5


def test_linear(rng):
    scan = NonUniform(anywhere(rng, 1, 30, 2), (9, 8))
    x, z = channels(draw(rng, 2, 9, 8)), channels(draw(rng, 2, 9, 8))
    found = ops.convert_to_numpy(scan.forward(2 * x - 3 * z))
    expected = 2 * scan.forward(x) - 3 * scan.forward(z)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_shift(rng):
    """A shifted image has samples with a linear phase."""
    positions = anywhere(rng, 1, 40, 2)
    scan = NonUniform(positions, (12, 13))
    x = np.zeros((1, 12, 13), np.complex64)
    x[:, 3:8, 2:9] = draw(rng, 1, 5, 7)
    shifted = np.roll(x, (2, -1), axis=(1, 2))
    phase = np.exp(-2j * np.pi * positions @ np.array([2, -1]))
    expected = phase * complexes(scan.forward(channels(x)))
    assert error(complexes(scan.forward(channels(shifted))), expected) < 4e-5


@pytest.mark.parametrize("size, tensor", [((6, 7), True), ((5, 8), False)])
def test_kspace_repeats(rng, size, tensor):
    x = channels(draw(rng, 1, *size))
    # Multiples of a power of two, which are exact in float32 after a shift.
    positions = np.round(256 * anywhere(rng, 1, 30, 2)) / 256
    positions[0, 0] = 0.5
    results = []
    for shift in ([0, 0], [1, 0], [-1, 3]):
        moved = (positions + shift).astype(np.float32)
        moved = ops.convert_to_tensor(moved) if tensor else moved
        results.append(complexes(NonUniform(moved, size).forward(x)))
    np.testing.assert_allclose(results[1], results[0], atol=1e-5)
    np.testing.assert_allclose(results[2], results[0], atol=1e-5)


def test_repeated_samples(rng):
    """Each counts: in the adjoint, they add up."""
    one = anywhere(rng, 1, 1, 2)
    y = draw(rng, 1, 1, 5)
    several = NonUniform(np.repeat(one, 5, axis=1), (8, 7))
    found = complexes(several.adjoint(channels(y)))
    total = channels(y.sum(axis=-1, keepdims=True))
    expected = complexes(NonUniform(one, (8, 7)).adjoint(total))
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("way", ["forward", "adjoint"])
def test_gradient_by_position(rng, gradient, way):
    """`∂y_m/∂k = 1/√(HW) Σ_r (-2πi r) x_r exp(-2πi k·r)`."""
    size = (12, 11)
    positions = anywhere(rng, 1, 25, 2)
    x, y = draw(rng, 1, *size), draw(rng, 1, 1, 25)

    def product(positions):
        """`Re <y, F x>`, through the forward operator or its adjoint."""
        scan = NonUniform(positions, size)
        if way == "forward":
            found, other = scan.forward(channels(x)), channels(y)
        else:
            found, other = scan.adjoint(channels(y)), channels(x)
        return ops.sum(ops.multiply(found, other))

    found = gradient(product, positions)[0]
    for axis, pixels in enumerate(np.indices(size)):
        moment = -2j * np.pi * (pixels - size[axis] // 2) * x[0]
        expected = (y[0, 0].conj() * nudft(moment, positions[0])).real
        assert error(found[:, axis], expected) < 2e-4


def test_gradient_by_image(rng, gradient):
    """That of `½ ‖A x - y‖²` is `Aᴴ (A x - y)`."""
    scan = NonUniform(anywhere(rng, 1, 30, 2), (8, 9))
    x, y = channels(draw(rng, 2, 8, 9)), channels(draw(rng, 2, 1, 30))

    def residual(x):
        return ops.subtract(scan.forward(x), y)

    found = gradient(lambda x: ops.sum(ops.square(residual(x))) / 2, x)
    expected = ops.convert_to_numpy(scan.adjoint(residual(x)))
    np.testing.assert_allclose(found, expected, atol=1e-4)


def compiled(function):
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function, jit_compile=True)
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    pytest.skip("torch compiles with a C++ compiler")


def test_compiled(rng):
    positions = anywhere(rng, 2, 20, 2)
    x = channels(draw(rng, 2, 6, 7))

    def normal(x, positions):
        scan = NonUniform(positions, (6, 7))
        return scan.normal(x)

    found = compiled(normal)(x, ops.convert_to_tensor(positions))
    np.testing.assert_allclose(found, normal(x, positions), atol=1e-4)
    scan = NonUniform(positions, (6, 7))
    np.testing.assert_allclose(compiled(scan.normal)(x), found, atol=1e-4)


class Scan(keras.layers.Layer):
    """Samples of an image at positions that are an input, or learned."""

    def build(self, shapes):
        self.offset = self.add_weight(shape=(2,), initializer="zeros")

    def call(self, inputs):
        image, positions = inputs
        scan = NonUniform(positions + self.offset, (6, 7))
        return scan.adjoint(scan.forward(image))


def test_in_a_model_of_any_batch(rng):
    """Positions one per example, of a batch that the graph does not know."""
    inputs = [keras.Input((6, 7, 2)), keras.Input((4, 5, 2))]
    model = keras.Model(inputs, Scan()(inputs))
    assert model.output_shape == (None, 6, 7, 2)
    model.compile(keras.optimizers.SGD(1e-3), loss="mse")
    x = channels(draw(rng, 3, 6, 7))
    positions = anywhere(rng, 3, 4, 5, 2)
    found = model.predict([x, positions], verbose=0)
    expected = NonUniform(positions, (6, 7)).normal(x)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    model.fit([x, positions], x, batch_size=2, verbose=0)
    assert np.abs(model.get_weights()[0]).min() > 0


def test_other_maps_share_the_weights(rng):
    scan = NonUniform(anywhere(rng, 1, 20, 2), (6, 7))
    maps, x = channels(draw(rng, 1, 3, 6, 7)), channels(draw(rng, 1, 6, 7))
    other = scan.with_maps(maps)
    assert other.gridding is scan.gridding and scan.maps is None
    assert other.forward(x).shape == (1, 3, 20, 2)
    assert scan.forward(x).shape == (1, 1, 20, 2)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"positions": np.full((1, 3, 2), np.nan)}, "positions.*finite"),
        ({"positions": np.zeros((3, 2))}, r"positions.*\(1 or batch, ..., 2\)"),
        ({"positions": np.zeros((1, 3, 3))}, "positions.*a size of 2 axes"),
        ({"size": (8,)}, "size.*H, W"),
        ({"size": (8, 0)}, "size.*at least 1"),
        ({"accuracy": 0}, "accuracy.*1e-07"),
    ],
)
def test_arguments(change, message):
    arguments = {"positions": np.zeros((1, 3, 2)), "size": (8, 7)}
    with pytest.raises(ValueError, match=message):
        NonUniform(**{**arguments, **change})


def test_shapes_are_checked():
    scan = NonUniform(np.zeros((1, 3, 4, 2)), (8, 7))
    with pytest.raises(ValueError, match=r"image.*\(batch, ..., 8, 7, 2\)"):
        scan.forward(np.zeros((1, 7, 8, 2)))
    with pytest.raises(ValueError, match=r"samples.*3, 4, 2\), one sample"):
        scan.adjoint(np.zeros((1, 1, 4, 4, 2)))


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="an unknown batch"
)
def test_an_unknown_batch_meets_several_trajectories(rng):
    """One image is measured along each, two along their own."""
    import tensorflow as tf

    positions = rng.uniform(-0.5, 0.5, (2, 20, 2))
    maps = rng.normal(size=(1, 2, 6, 7, 2)).astype("float32")
    scan = NonUniform(positions, (6, 7), maps)
    images = rng.normal(size=(2, 6, 7, 2)).astype("float32")
    shape = tf.TensorSpec((None, 6, 7, 2), "float32")
    forward = tf.function(scan.forward, input_signature=[shape])
    for batch in (images, images[:1]):
        np.testing.assert_allclose(
            forward(batch), scan.forward(batch), atol=1e-5
        )
