"""A stand-in for the brain scans of two vendors of the fastMRI challenge."""

import dataclasses

import numpy as np

from loupe_tf import evaluation, simulation
from loupe_tf.checks import invalid
from loupe_tf.datasets import write_fastmri_scan
from loupe_tf.reconstruction import crop_readout

TESLA = (3.0, 1.5)
"""Field strengths, which the volumes of a vendor have in turn."""


@dataclasses.dataclass(frozen=True)
class Vendor:
    """How a vendor's scanners measure.

    Attributes:
        name: String.
        contrast: String, the name of the pulse sequence.
        coils: Integer.
        oversampling: Integer, the rows of k-space for each of the image.
        noise: Float, the standard deviation of the real and the imaginary part
            of the noise of each coil at 3 T, in units of the volume's maximum.
            At 1.5 T it is twice as large.
        angle: Float, the position of the first coil, in radians.
    """

    name: str
    contrast: str
    coils: int
    oversampling: int
    noise: float
    angle: float = 0.0


A = Vendor("A", "AXFLAIR", 8, 2, 0.01)
B = Vendor("B", "AXT2", 5, 1, 0.02, 0.5)


def field_strengths(part):
    """Return the field strength of each slice, by the order of volumes."""
    order = {v: i for i, v in enumerate(np.unique(part.volumes))}
    return np.array([TESLA[order[v] % 2] for v in part.volumes])


def scan(part, vendor, seed):
    """Simulate the fully sampled k-space of a vendor's scanner.

    Args:
        part: `loupe_tf.datasets.Slices`.
        vendor: `Vendor`.
        seed: Integer, seed of phases and noise.

    Returns:
        Complex64 array `(n, coils, H, W)`, with oversampled rows.
    """
    count, height, width, _ = part.images.shape
    rows = height * vendor.oversampling
    above = rows // 2 - height // 2
    margin = (above, rows - height - above)
    images = np.pad(part.images, ((0, 0), margin, (0, 0), (0, 0)))
    maps = simulation.birdcage_maps(
        (rows, width), vendor.coils, angle=vendor.angle
    )
    channels, *_ = simulation.simulate_kspace(images, maps, seed=seed)
    deviation = vendor.noise * TESLA[0] / field_strengths(part)
    noise = np.random.default_rng(seed).normal(size=channels.shape)
    channels = channels + deviation[:, None, None, None, None] * noise
    return (channels[..., 0] + 1j * channels[..., 1]).astype(np.complex64)


def root_sum_of_squares(kspace):
    """Return the target of k-space `(n, coils, H, W)`, `(n, H, W, 1)`."""
    from loupe_tf.numpy_fourier import ifft2c

    images = np.linalg.norm(ifft2c(kspace), axis=1)
    return images[..., None].astype(np.float32)


def training_arrays(part, rate, seed):
    """Make what a network of vendor A learns from.

    Args:
        part: `loupe_tf.datasets.Slices`.
        rate: Number, the R of the masks, one for each slice.
        seed: Integer.

    Returns:
        A pair: the inputs, k-space `(n, coils, H, W, 2)` and mask
        `(n, 1, W, 1)`; and the targets `(n, H, W, 1)`, from all samples.
    """
    from loupe_tf.masks import fastmri_lines

    kspace = scan(part, A, seed)
    target = root_sum_of_squares(kspace)
    width = kspace.shape[-1]
    masks = np.stack(
        [
            fastmri_lines(width, rate, seed=seed + 1000 * i).array
            for i in range(len(kspace))
        ]
    )
    kspace = np.where(masks[:, None], kspace, 0)
    channels = np.stack([kspace.real, kspace.imag], -1).astype(np.float32)
    return (channels, masks[..., None].astype(np.float32)), target


def write_volumes(folder, part, vendor, seed, cropped=False):
    """Write the volumes of a vendor as fully sampled files of fastMRI.

    Args:
        folder: Path; files that are there are not written again.
        part: `loupe_tf.datasets.Slices`.
        vendor: `Vendor`.
        seed: Integer.
        cropped: Boolean. If `True`, the oversampling is removed from k-space.
    """
    kspace = scan(part, vendor, seed)
    size = part.images.shape[1:3]
    if cropped:
        kspace = crop_readout(kspace, size[0])
    folder.mkdir(parents=True, exist_ok=True)
    for volume, tesla in zip(part.volumes, field_strengths(part)):
        name = str(volume).replace("/", "_")
        path = folder / f"file_brain_{vendor.contrast}_{name}.h5"
        if path.exists():
            continue
        rows = part.volumes == volume
        patients = part.patients if part.patients is not None else part.volumes
        write_fastmri_scan(
            path,
            kspace[rows],
            size,
            acquisition=vendor.contrast,
            patient_id=str(patients[rows][0]),
            model=vendor.name,
            field_strength=tesla,
        )


def inverted(part):
    """Return the same slices with the contrast of their tissue inverted."""
    images = part.images
    inside = images > 0.1
    return dataclasses.replace(
        part, images=np.where(inside, 1.1 - images, images).astype("float32")
    )


def submit(method, truth, folder, track, rows=None):
    """Rebuild all volumes of a folder, and judge them as a submission.

    Args:
        method, track, rows: As for `loupe_tf.evaluation.rebuild_volume`.
        truth: Path of the folder with fully sampled files.
        folder: Path of the submission.

    Returns:
        The result of `loupe_tf.evaluation.judge_submission`.

    Raises:
        ValueError: If volumes cannot be rebuilt; the message lists them all.
    """
    wrong = []
    for path in sorted(truth.glob("*.h5")):
        try:
            images = evaluation.rebuild_volume(method, path, track, rows)
            evaluation.write_submission(folder, path.name, images)
        except ValueError as error:
            wrong.append(str(error))
    if wrong:
        raise invalid(
            "truth",
            "volumes that can all be rebuilt",
            found=f"{truth}, of which nothing was judged:\n  "
            + "\n  ".join(wrong),
        )
    return evaluation.judge_submission(folder, truth)
