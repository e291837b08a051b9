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
    odd = [side % 2 for side in kspace.shape[1:]]
    maps = np.roll(maps, odd, axis=(1, 2))
    pattern = np.broadcast_to(np.asarray(mask), (1, *kspace.shape[1:]))
    arrays = {"kspace": kspace, "pattern": pattern, "maps": maps}
    with tempfile.TemporaryDirectory() as folder:
        for name, array in arrays.items():
            array = np.moveaxis(array, 0, -1)[:, :, None]
            write_cfl(pathlib.Path(folder) / name, array)
        done = subprocess.run(
            # `-w 1`: BART does not divide k-space by its own scale.
            ["bart", "pics", "-w", "1", "-p", "pattern"]
            + ["-i", str(iterations), *regularizer]
            + ["kspace", "maps", "image"],
            cwd=folder,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise ValueError(f"bart failed: {done.stdout}{done.stderr}")
        image = read_cfl(pathlib.Path(folder) / "image")
    return np.roll(image, np.negative(odd), axis=(0, 1))


def difference(image, reference):
    """Norm of the difference relative to the reference, up to a phase."""
    product = np.vdot(reference, image)
    aligned = reference * product / np.abs(product)
    return float(np.linalg.norm(image - aligned) / np.linalg.norm(reference))
