import numpy as np
import pytest
from keras import ops

from loupe_tf import fourier, numpy_operators
from loupe_tf.operators import Cartesian

SIZES = [(16, 18), (15, 16), (7, 9)]


def draw(rng, *shape):
    x = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    return x.astype(np.complex64)


def channels(x):
    return np.stack([x.real, x.imag], axis=-1).astype(np.float32)


def complexes(x):
    return ops.convert_to_numpy(x) @ np.array([1, 1j])


def mask_of(rng, shape):
    return (rng.uniform(size=shape) < 0.4).astype(np.float32)[..., None]


# Shapes of the mask beside (batch, H, W), number of coils, read-out.
CASES = [
    ("points", None, ()),
    ("columns", 3, ()),
    ("an example each", 3, ()),
    ("relaxed", 2, ()),
    ("everything", 2, ()),
    ("rows", None, (4,)),
    ("points", 3, (4,)),
]


def build(rng, kind, coils, depth, size):
    """Mask and maps, as the operator takes them."""
    height, width = size
    shape = {
        "columns": (1, 1, width),
        "rows": (1, height, 1),
        "an example each": (2, *size),
    }.get(kind, (1, *size))
    mask = None if kind == "everything" else mask_of(rng, shape)
    if kind == "relaxed":
        mask = rng.uniform(size=(*shape, 1)).astype(np.float32)
    maps = None if coils is None else draw(rng, 2, coils, *depth, *size)
    return mask, maps


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind, coils, depth", CASES)
def test_dot(rng, kind, coils, depth, size):
    """`<A x, y> = <x, Aᴴ y>`, of complex numbers."""
    mask, maps = build(rng, kind, coils, depth, size)
    scan = Cartesian(mask, None if maps is None else channels(maps))
    x = draw(rng, 2, *depth, *size)
    y = draw(rng, 2, coils or 1, *depth, *size)
    forward = complexes(scan.forward(channels(x)))
    adjoint = complexes(scan.adjoint(channels(y)))
    assert forward.shape == y.shape
    assert adjoint.shape == x.shape
    left, right = np.vdot(y, forward), np.vdot(adjoint, x)
    assert abs(left - right) < 1e-5 * np.linalg.norm(forward) * np.linalg.norm(
        y
    )


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind, coils, depth", CASES)
def test_normal(rng, kind, coils, depth, size):
    """It shifts mask, maps and image, not k-space as `forward` does."""
    mask, maps = build(rng, kind, coils, depth, size)
    scan = Cartesian(mask, None if maps is None else channels(maps))
    x = channels(draw(rng, 2, *depth, *size))
    expected = ops.convert_to_numpy(scan.adjoint(scan.forward(x)))
    found = ops.convert_to_numpy(scan.normal(x))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    with fourier.by_matrices():
        found = ops.convert_to_numpy(scan.normal(x))
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("coils", [None, 3])
def test_agrees_with_numpy(rng, coils, size):
    mask, maps = build(rng, "points", coils, (), size)
    scan = Cartesian(mask, None if maps is None else channels(maps))
    x = draw(rng, 2, *size)
    y = draw(rng, 2, coils or 1, *size)
    found = complexes(scan.forward(channels(x)))
    back = complexes(scan.adjoint(channels(y)))
    both = complexes(scan.normal(channels(x)))
    points = mask[0, ..., 0]
    for i in range(2):
        own = np.ones((1, *size), np.complex64) if maps is None else maps[i]
        expected = numpy_operators.forward(x[i], points, own)
        np.testing.assert_allclose(found[i], expected, atol=1e-5)
        expected = numpy_operators.adjoint(y[i], points, own)
        np.testing.assert_allclose(back[i], expected, atol=1e-5)
        expected = numpy_operators.adjoint(
            numpy_operators.forward(x[i], points, own), points, own
        )
        np.testing.assert_allclose(both[i], expected, atol=1e-5)


def test_unitary_where_everything_is_acquired(rng):
    """With one coil, or maps whose squares sum to 1."""
    x = channels(draw(rng, 2, 15, 16))
    maps = draw(rng, 2, 3, 15, 16)
    maps /= np.sqrt((np.abs(maps) ** 2).sum(axis=1, keepdims=True))
    for scan in (Cartesian(), Cartesian(maps=channels(maps))):
        norm = np.linalg.norm(ops.convert_to_numpy(scan.forward(x)))
        np.testing.assert_allclose(norm, np.linalg.norm(x), rtol=1e-5)
        found = ops.convert_to_numpy(scan.normal(x))
        np.testing.assert_allclose(found, x, atol=1e-5)


@pytest.mark.parametrize("shape", [(8, 9), (8, 9, 1), (1, 1, 8, 9, 1)])
def test_a_mask_needs_four_axes(shape):
    """One of (H, W, 1) would be multiplied along other axes than meant."""
    with pytest.raises(ValueError, match=r"`mask`.*\(1 or batch, H or 1"):
        Cartesian(np.ones(shape, "float32"))


@pytest.mark.parametrize("shape", [(2, 8, 10, 1), (2, 8, 10)])
def test_an_image_has_two_parts(shape):
    with pytest.raises(
        ValueError, match=r"real tensor of shape \(\.\.\., H, W"
    ):
        Cartesian().normal(np.ones(shape, "float32"))
