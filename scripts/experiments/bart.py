"""Reconstruct with BART, the program of ESPIRiT's authors."""

import pathlib
import subprocess
import tempfile

import numpy as np

from loupe_tf.formats import read_cfl, write_cfl


def pics(kspace, mask, maps, iterations, *regularizer):
    """Run BART's parallel imaging and compressed sensing.

    Args:
        kspace: Complex array `(coils, H, W)`.
        mask: `SamplingMask`, or an array of one of its shapes.
        maps: Complex array `(coils, H, W)`.
        iterations: Integer.
        *regularizer: Strings, further arguments of `bart pics`.

    Returns:
        Complex array `(H, W)`, up to a constant phase, which comes from BART's
        shifts.

    Raises:
        ValueError: If the program fails.
    """
    # Along an odd side, BART's image is one pixel further than that of a
    # centred FFT, and so must be its maps.
    odd = _odd_sides(kspace)
    maps = np.roll(maps, odd, axis=(1, 2))
    pattern = np.broadcast_to(np.asarray(mask), (1, *kspace.shape[1:]))
    image = _run(
        # `-w 1`: BART does not divide k-space by its own scale.
        ["pics", "-w", "1", "-p", "pattern", "-i", str(iterations)]
        + [*regularizer, "kspace", "maps"],
        {"kspace": kspace, "pattern": pattern, "maps": maps},
    )
    return np.roll(image, np.negative(odd), axis=(0, 1))


def ecalib(kspace, calibration, kernel_size, threshold):
    """Estimate sensitivity maps with BART's ESPIRiT, without cropping.

    Args:
        kspace: Complex array `(coils, H, W)`.
        calibration, kernel_size, threshold: As for
            `loupe_tf.reconstruction.espirit_maps`.

    Returns:
        Complex array `(coils, H, W)`.

    Raises:
        ValueError: If the program fails.
    """
    sizes = ["-r", str(calibration), "-k", str(kernel_size)]
    maps = _run(
        ["ecalib", "-m", "1", "-c", "0", "-t", str(threshold), *sizes]
        + ["kspace"],
        {"kspace": kspace},
    )
    maps = np.moveaxis(np.squeeze(maps), -1, 0)
    return np.roll(maps, np.negative(_odd_sides(kspace)), axis=(1, 2))


def _odd_sides(kspace):
    return [side % 2 for side in kspace.shape[1:]]


def _run(arguments, arrays):
    """Run BART on arrays `(coils, H, W)`, and read what it has written."""
    with tempfile.TemporaryDirectory() as folder:
        for name, array in arrays.items():
            array = np.moveaxis(array, 0, -1)[:, :, None]
            write_cfl(pathlib.Path(folder) / name, array)
        done = subprocess.run(
            ["bart", *arguments, "result"],
            cwd=folder,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise ValueError(f"bart failed: {done.stdout}{done.stderr}")
        return read_cfl(pathlib.Path(folder) / "result")


def angles(maps, reference):
    """Angle between two sets of maps at each pixel, in degrees `(H, W)`.

    It is that of the vectors of all coils, and so does not depend on their
    norm and common phase.
    """
    product = np.abs(np.sum(np.conj(reference) * maps, axis=0))
    norms = [np.linalg.norm(x, axis=0) for x in (maps, reference)]
    cosine = product / np.maximum(norms[0] * norms[1], 1e-12)
    return np.degrees(np.arccos(np.minimum(cosine, 1)))


def difference(image, reference):
    """Norm of the difference relative to the reference, up to a phase."""
    product = np.vdot(reference, image)
    aligned = reference * product / np.abs(product)
    return float(np.linalg.norm(image - aligned) / np.linalg.norm(reference))
