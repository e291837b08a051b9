"""A random object and sensitivity maps, for simulated files and for tests."""

import numpy as np

# The largest values of an object: those of fastMRI's files are of this size.
SCALE = 5e-4


def random_object(rng, size):
    """Draw an object of ellipsoids, with a smooth texture and phase.

    Args:
        rng: `numpy.random.Generator`.
        size: Two integers, the rows and columns of a slice.

    Returns:
        A function from the height of a slice, in `[-1, 1]`, to its image:
        complex64 of shape `size`, with values up to about `SCALE`.
    """
    y, x = (np.linspace(-1, 1, n, dtype=np.float32) for n in size)
    y = y[:, None]
    # The body comes first, then the structures inside it.
    count = 10
    centers = rng.uniform(-0.4, 0.4, (count, 3))
    radii = rng.uniform(0.1, 0.4, (count, 3))
    values = rng.uniform(-0.3, 0.4, count)
    centers[0], radii[0], values[0] = 0, rng.uniform(0.75, 0.9, 3), 0.6
    radii[0, 2] = 1.2
    angles = rng.uniform(0, np.pi, count)
    angles[0] = 0
    waves = rng.normal(scale=6, size=(8, 3))
    shifts = rng.uniform(0, 2 * np.pi, 8)
    phase = rng.normal(scale=0.6, size=4)

    def slice_of(height):
        image = np.zeros(size, np.float32)
        body = None
        for center, radius, value, angle in zip(centers, radii, values, angles):
            left = 1 - ((height - center[2]) / radius[2]) ** 2
            if left <= 0:
                continue
            c, s = np.cos(angle), np.sin(angle)
            v, u = y - center[0], x - center[1]
            inside = ((c * v + s * u) / radius[0]) ** 2
            inside = inside + ((c * u - s * v) / radius[1]) ** 2
            # An edge one or two pixels wide, like a partially filled voxel.
            soft = np.clip((left - inside) * min(size) / 8 + 0.5, 0, 1)
            body = soft if body is None else body
            image += value * soft
        texture = sum(
            np.cos(a * y + b * x + np.float32(c * height + d))
            for (a, b, c), d in zip(waves.astype(np.float32), shifts)
        )
        image = np.clip(image, 0.05, None) * body * (1 + 0.03 * texture)
        a, b, c, d = phase.astype(np.float32)
        angle = a + b * y + c * x + d * x * y + np.float32(height)
        return (SCALE * image * np.exp(1j * angle)).astype(np.complex64)

    return slice_of


def random_maps(rng, coils, size):
    """Draw smooth sensitivity maps of coils around the object.

    Args:
        rng: `numpy.random.Generator`.
        coils: Integer, the number of coils.
        size: Two integers, the rows and columns of a slice.

    Returns:
        Complex64 array `(coils, *size)`. The squares of the coils' moduli sum
        to 1 everywhere.
    """
    y, x = (np.linspace(-1, 1, n, dtype=np.float32) for n in size)
    y = y[:, None]
    maps = []
    for i in range(coils):
        angle = 2 * np.pi * (i + rng.uniform(-0.2, 0.2)) / coils
        v, u = y - 1.1 * np.sin(angle), x - 1.1 * np.cos(angle)
        a, b, c = rng.uniform(-1, 1, 3)
        phase = np.exp(1j * (np.pi * a + b * y + c * x))
        maps.append(np.exp(-(v**2 + u**2) / 1.5) * phase)
    maps = np.stack(maps)
    norm = np.sqrt(np.sum(np.abs(maps) ** 2, axis=0))
    return (maps / norm).astype(np.complex64)
