"""Simulate MR volumes of one average brain with many shapes and contrasts."""

import numpy as np

# Side of the square field of view, in mm, whatever the size of the matrix.
FIELD_OF_VIEW = 220.0
# Matrix size for sampling the 1 mm template. Smaller images are then cropped in
# k-space.
NATIVE_SIZE = 220
# Voxel (slice, row, column) of the template at the centre of the field of view.
CENTER = (78.0, 115.0, 98.0)
# Lower and upper end of the stack of slices, in mm from that voxel.
SLICE_RANGE = (-38.0, 58.0)
# Intensities of cerebrospinal fluid, grey and white matter, and the exponent of
# the fine detail of the T1 template.
CONTRASTS = {
    "T1": (0.28, 0.64, 0.90, 1.0),
    "T2": (1.00, 0.56, 0.38, -0.7),
    "PD": (0.95, 0.85, 0.66, -0.4),
    "FLAIR": (0.12, 0.75, 0.55, -0.6),
}


def load_templates():
    """Read the MNI152 templates that come with nilearn; nothing is downloaded.

    Returns:
        Four float32 arrays of shape `(189, 233, 197)`: slices from feet to
        head, rows from anterior to posterior, columns from left to right. The
        first three are the fractions of cerebrospinal fluid, grey matter and
        white matter, each in `[0, 1]`. The fourth is the log-ratio of the T1
        template to its prediction from these fractions.
    """
    try:
        from nilearn import datasets
        from scipy.ndimage import gaussian_filter
    except ImportError as error:
        raise ImportError(
            "Simulating `mni_brain` requires nilearn and scipy. Install them "
            'with: pip install "loupe-tf[brain]"'
        ) from error

    loaders = (
        datasets.load_mni152_template,
        datasets.load_mni152_gm_template,
        datasets.load_mni152_wm_template,
    )
    images = [load(resolution=1).get_fdata(dtype="float32") for load in loaders]
    t1, gray, white = (image.T[:, ::-1] for image in images)

    brain = t1 > 0
    tissues = np.stack([brain - gray - white, gray, white])
    tissues = np.clip(tissues, 0.0, 1.0) * brain
    means, *_ = np.linalg.lstsq(tissues[:, brain].T, t1[brain], rcond=None)
    expected = np.tensordot(means, tissues, 1)
    ratio = np.divide(t1, expected, out=np.ones_like(t1), where=expected > 0)
    detail = np.log(np.clip(ratio, 0.7, 1.4))

    # In an average of many brains, tissues blend over several voxels; in one
    # brain, they blend within a voxel. The filter smooths jagged edges.
    tissues **= 2
    tissues /= np.maximum(tissues.sum(axis=0), 1e-6)
    return *(gaussian_filter(tissue, 0.6) for tissue in tissues), detail


def voxel_size(size, slices):
    """Return the voxel size of a simulated volume.

    Args:
        size, slices: As in `simulate_volume`.

    Returns:
        A float32 array of shape `(3,)`: the distance between slices, rows and
        columns in mm.
    """
    low, high = SLICE_RANGE
    pixel = FIELD_OF_VIEW / size
    return np.array([(high - low) / slices, pixel, pixel], "float32")


def smooth_field(rng, axes, amplitude, waves):
    """Draw a random smooth field, a sum of cosines of low frequency.

    Args:
        rng: A `numpy.random.Generator`.
        axes: Three 1D arrays, the positions along each axis relative to the
            centre, in units of the field of view.
        amplitude: Float, the standard deviation of the field.
        waves: Integer, the number of cosines along each axis. The shortest
            wavelength is `2 / (waves - 1)` fields of view.

    Returns:
        An array of shape `tuple(len(axis) for axis in axes)`. The field itself
        does not depend on `axes`.
    """
    order = np.arange(waves)
    radius = np.hypot(np.hypot.outer(order, order)[..., None], order)
    weights = 1.0 / (1.0 + radius**2)
    weights[0, 0, 0] = 0.0
    weights *= amplitude / np.sqrt(np.sum(weights**2))
    norm = np.where(order, np.sqrt(2.0), 1.0)
    basis = [norm * np.cos(np.pi * np.outer(a + 0.5, order)) for a in axes]
    coefficients = weights * rng.normal(size=weights.shape)
    return np.einsum("klm,zk,yl,xm->zyx", coefficients, *basis, optimize=True)


def deform(rng, axes):
    """Draw the shape of one head.

    Args:
        rng: A `numpy.random.Generator`.
        axes: Three 1D arrays, as in `smooth_field`.

    Returns:
        An array of shape `(3, slices, rows, columns)`: the template voxel at
        each position.
    """
    from scipy.spatial.transform import Rotation

    turn = Rotation.from_euler("zyx", rng.uniform(-6, 6, 3), degrees=True)
    matrix = turn.as_matrix() / rng.uniform(0.94, 1.06, 3)
    shift = np.add(CENTER, rng.uniform(-4, 4, 3))
    points = FIELD_OF_VIEW * np.stack(np.meshgrid(*axes, indexing="ij"))
    places = np.tensordot(matrix, points, 1) + shift[:, None, None, None]
    for place in places:
        place += smooth_field(rng, axes, amplitude=4.0, waves=10)
    return places


def resize(images, size):
    """Lower the resolution of images by cropping k-space, as a scanner does.

    Args:
        images: Array of shape `(slices, n, n)`, with `n >= size`.
        size: Integer, the new number of rows and columns.

    Returns:
        A complex array of shape `(slices, size, size)`, with the same field of
        view and the same mean.
    """
    n = images.shape[-1]
    start = n // 2 - size // 2
    cut = slice(start, start + size)
    images = np.fft.ifftshift(images, axes=(1, 2))
    kspace = np.fft.fftshift(np.fft.fft2(images), axes=(1, 2))[:, cut, cut]
    kspace = np.fft.ifftshift(kspace, axes=(1, 2)) * (size / n) ** 2
    return np.fft.fftshift(np.fft.ifft2(kspace), axes=(1, 2))


def simulate_volume(templates, seed, contrast, size, slices):
    """Simulate the magnitude images of one subject.

    The shape of the head, the intensities of the tissues and the bias field
    depend only on `seed` and `contrast`. Complex Gaussian noise is added at
    the final size, before the magnitude is taken, so that it reaches every
    entry of k-space.

    Args:
        templates: The result of `load_templates`.
        seed: Integer or sequence of integers, the seed of the subject.
        contrast: String, a key of `CONTRASTS`.
        size: Integer, the number of rows and of columns.
        slices: Integer, the number of slices.

    Returns:
        A float32 array of shape `(slices, size, size)`, in arbitrary units.
    """
    from scipy.ndimage import map_coordinates

    rng = np.random.default_rng(seed)
    grid = max(size, NATIVE_SIZE)
    pixels = (np.arange(grid) - grid // 2) / grid
    low, high = SLICE_RANGE
    heights = low + (high - low) * (np.arange(slices) + 0.5) / slices
    axes = (heights / FIELD_OF_VIEW, pixels, pixels)

    places = deform(rng, axes)
    *tissues, detail = (map_coordinates(t, places, order=1) for t in templates)
    *intensities, exponent = CONTRASTS[contrast]
    intensities = np.multiply(intensities, rng.uniform(0.9, 1.1, 3))
    exponent *= rng.uniform(0.8, 1.2)
    images = np.tensordot(intensities, tissues, 1) * np.exp(exponent * detail)
    images *= np.exp(smooth_field(rng, axes, amplitude=0.12, waves=3))

    stddev = rng.uniform(0.01, 0.03)
    images = resize(images, size)
    noise = rng.normal(scale=stddev, size=(2, *images.shape))
    return np.abs(images + noise[0] + 1j * noise[1]).astype("float32")
