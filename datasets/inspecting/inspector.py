"""Examine images one by one for problems that make them too easy."""

import collections

import numpy as np

from loupe_tf.checks import invalid
from loupe_tf.datasets.inspecting.acquired_extent import (
    acquired_extent,
    acquired_lines,
    axis_profile,
    corner_radius,
    log_power,
)
from loupe_tf.datasets.inspecting.findings import (
    FOUND,
    NOT_FOUND,
    UNKNOWN,
    Finding,
    Inspection,
)
from loupe_tf.datasets.inspecting.leaks import Leaks

# A complex image counts as real, up to a constant phase, if at most this share
# of its energy is imaginary.
IMAGINARY = 1e-4
# The maximum number of grey levels in an 8-bit image.
COARSE = 256
# The number of levels at which counting stops.
MANY_LEVELS = 4096
# JPEG is found if steps across the borders of 8×8 blocks are larger than their
# neighbours by this share, and by this many standard errors, along both axes.
BLOCK, BLOCK_ERRORS = 0.03, 4.5
SMALLEST_FOR_BLOCKS = 32


class Inspector:
    """Collects, image by image, the measurements of `inspect`.

    Images of different volumes may come in any order. All must have the same
    size. Memory grows by a few kB per image.
    """

    def __init__(self):
        self._volumes = {}
        self._leaks = Leaks()
        self._sources = set()
        self._size = None
        self._is_complex = None
        self._spectrum, self._count = 0.0, 0
        self._imaginary = []
        self._steps = None

    def add(
        self,
        image,
        volume="",
        patient="",
        source="",
        split="",
        signature_only=False,
        phase_axis="",
    ):
        """Add one image of shape `(H, W)`, with its volume and patient."""
        if self._size is None:
            self._size = image.shape
            self._is_complex = np.iscomplexobj(image)
        if image.shape != self._size:
            raise invalid(
                "image",
                f"one size for all, {self._size}",
                found=f"{image.shape} in volume {volume}",
            )
        kept = self._volumes.setdefault((split, volume), _Volume(split, volume))
        kept.slices += 1
        kept.phase_axis = phase_axis
        self._leaks.add(np.abs(image), split, volume, patient)
        if source:
            self._sources.add(source)
        if signature_only:
            return
        spectrum, count = log_power(image[None])
        if not count:
            return
        self._spectrum = self._spectrum + spectrum
        self._count += 1
        kept.add(image, spectrum)
        if self._is_complex:
            # A constant phase that makes the image as real as possible.
            turn = np.exp(-0.5j * np.angle(np.sum(image.astype(complex) ** 2)))
            energy = np.abs(image) ** 2
            self._imaginary.append(
                np.sum((image * turn).imag ** 2) / energy.sum()
            )
        elif min(self._size) >= SMALLEST_FOR_BLOCKS:
            steps = _steps(image.astype("float64"))
            self._steps = (
                steps
                if self._steps is None
                else [a + b for a, b in zip(self._steps, steps)]
            )

    def result(self):
        """Return the `Inspection` of all images added."""
        if not self._count:
            raise invalid(
                "images", "at least one that is not zero", found="none"
            )
        spectrum = self._spectrum / self._count
        volumes = [v.summary(self._size, self._is_complex) for v in self._each]
        extent = acquired_extent(spectrum, self._count, self._is_complex)
        findings = [
            self._hermitian(),
            *(self._border(axis, extent, volumes) for axis in (0, 1)),
            self._corners(spectrum, extent),
            self._quantised(),
            self._jpeg(),
            *self._leaks.findings(),
        ]
        return Inspection(
            findings=findings,
            size=tuple(self._size),
            extent=extent,
            volumes=volumes,
            sources=sorted(self._sources),
            spectrum=spectrum,
            phase_axes=dict(
                collections.Counter(
                    v.phase_axis for v in self._each if v.phase_axis
                )
            ),
        )

    @property
    def _each(self):
        return self._volumes.values()

    def _hermitian(self):
        effect = (
            "Either half of k-space determines the other, which holds for a "
            "scan only if its images have no phase. A mask learned on these "
            "images exploits this, for example by sampling only one half. Its "
            "acceleration at a given PSNR is up to twice that of a real scan. "
            "Use complex images if you have them."
        )
        if not self._is_complex:
            advice = (
                " If not, give these a simulated phase before you take a mask "
                "to a scanner (`loupe-tf train --phase`)."
            )
            why = "the images are real (magnitudes)"
            if "magnitude_of_complex" in self._sources:
                why = (
                    "they are magnitudes of complex images: the files have "
                    "the phase, and it is dropped"
                )
                advice = " `loupe-tf build --complex` keeps their phase."
            return Finding(
                "hermitian",
                "Hermitian k-space",
                FOUND,
                f"by construction, because {why}",
                effect + advice,
                {"imaginary_energy": 0.0},
            )
        share = float(np.median(self._imaginary))
        found = share < IMAGINARY
        return Finding(
            "hermitian",
            "Hermitian k-space",
            FOUND if found else NOT_FOUND,
            f"{100 * share:.2g} % of the energy is imaginary",
            effect if found else "",
            {"imaginary_energy": share},
        )

    def _border(self, axis, extent, volumes):
        n, m, name = self._size[axis], extent[axis], "HW"[axis]
        title = f"Zero-filled border along {name}"
        each = [v["extent"][axis] for v in volumes if v["extent"]]
        having = [lines for lines in each if lines < n]
        numbers = {
            "lines": n,
            "acquired_lines": m,
            "share_of_nyquist": m / n,
            "volumes_with_border": len(having),
            "volumes": len(each),
        }
        if m == n:
            value = f"no edge of the spectrum in {n} lines"
            if having:
                value += f", but in {len(having)} of {len(each)} volumes"
            key = f"zero_filled_{name.lower()}"
            return Finding(key, title, NOT_FOUND, value, "", numbers)
        value = f"{m} of {n} lines acquired, {m / n:.2f} of Nyquist"
        if len(each) > 1 and having:
            value += f"; seen in {len(having)} of {len(each)} volumes"
        elif len(each) > 1:
            # The mean over volumes shows edges hidden in the noise of each.
            value += f"; seen only in the mean of {len(each)} volumes"
        if having and max(having) - min(having) > 0.05 * n:
            value += (
                f", from {min(having) / n:.2f} to {max(having) / n:.2f}: "
                "inspect acquisitions separately"
            )
        effect = (
            "The scanner has acquired nothing, or almost nothing, in the "
            "border. A learned mask discovers this and spends its budget "
            "inside, so an acceleration of 4 on the whole matrix is "
            f"{4 * m / n:.1f} on the acquired lines of this axis, and the PSNR "
            "belongs to the lower one. Crop k-space to what was acquired, by "
            "crop_to_acquired=True, which `loupe-tf build` and `loupe-tf "
            "train` have as an option."
        )
        return Finding(
            f"zero_filled_{name.lower()}", title, FOUND, value, effect, numbers
        )

    def _corners(self, spectrum, extent):
        title = "Empty corners of k-space"
        found = corner_radius(spectrum, self._count, extent)
        if found is None:
            return Finding(
                "empty_corners", title, NOT_FOUND, "no circle or ellipse seen"
            )
        (a, b), share = found
        return Finding(
            "empty_corners",
            title,
            FOUND,
            f"nothing outside an ellipse of {a:.2f} × {b:.2f} of Nyquist, "
            f"which is {100 * share:.0f} % of the acquired samples",
            "A filter has removed the corners, or they were never acquired. So "
            "a learned mask of points skips them, and its acceleration is "
            f"overstated by up to {100 * share:.0f} %. Masks of lines are "
            "hardly affected.",
            {"radii": [float(a), float(b)], "share": share},
        )

    def _quantised(self):
        title = "Coarse quantisation"
        if self._is_complex:
            return Finding("quantised", title, UNKNOWN, "complex images")
        known = [v for v in self._each if v.levels is not None]
        counts = [len(v.levels) for v in known]
        coarse = [
            v for v in known if 1 < len(v.levels) <= min(COARSE, v.nonzero / 8)
        ]
        if not coarse:
            value = "more than 4096 levels in each volume"
            if counts:
                value = f"{min(counts)} levels or more in each volume"
            return Finding(
                "quantised",
                title,
                NOT_FOUND,
                value,
                numbers={"fewest_levels": min(counts, default=None)},
            )
        step = np.median(
            [np.diff(v.levels).min() / v.levels.max() for v in coarse]
        )
        ceiling = float(10 * np.log10(12 / step**2))
        return Finding(
            "quantised",
            title,
            FOUND,
            f"{min(map(len, (v.levels for v in coarse)))} levels or more, 256 "
            f"or fewer, in {len(coarse)} of {len(self._volumes)} volumes",
            "The images were stored with 8 bits or fewer. Rounding is noise "
            "that no reconstruction removes, so a PSNR of "
            f"{ceiling:.0f} dB or more means nothing. It fills k-space evenly, "
            "so it also hides where the acquisition ended.",
            {
                "fewest_levels": min(map(len, (v.levels for v in coarse))),
                "volumes": len(coarse),
                "psnr_of_rounding": ceiling,
            },
        )

    def _jpeg(self):
        title = "JPEG blocks"
        if self._is_complex:
            return Finding("jpeg", title, UNKNOWN, "complex images")
        if min(self._size) < SMALLEST_FOR_BLOCKS:
            return Finding("jpeg", title, UNKNOWN, "images are too small")
        measured = [
            _blocks(step, around)
            for step, around in zip(self._steps[::2], self._steps[1::2])
        ]
        excess, errors = (min(each) for each in zip(*measured))
        found = excess >= BLOCK and errors >= BLOCK_ERRORS
        return Finding(
            "jpeg",
            title,
            FOUND if found else NOT_FOUND,
            f"steps across 8×8 blocks are larger by {100 * excess:.1f} % "
            f"(JPEG: {100 * BLOCK:.0f} % or more, clearly above their spread)",
            "Lossy compression has removed detail block by block. The network "
            "learns to draw blocks, and metrics compare with compressed "
            "images instead of the true ones. Use the images before "
            "compression."
            if found
            else "",
            {"excess": float(excess), "standard_errors": float(errors)},
        )


class _Volume:
    """The measurements of one volume."""

    def __init__(self, split, name):
        self.split, self.name = split, name
        self.slices, self._count, self.nonzero = 0, 0, 0
        self._profiles = None
        self.levels = np.zeros(0)
        self.phase_axis = ""

    def add(self, image, spectrum):
        profiles = [axis_profile(spectrum, axis) for axis in (0, 1)]
        if self._count:
            profiles = [a + b for a, b in zip(self._profiles, profiles)]
        self._profiles = profiles
        self._count += 1
        if self.levels is not None and not np.iscomplexobj(image):
            self.nonzero += np.count_nonzero(image)
            self.levels = np.union1d(self.levels, image)
            if len(self.levels) > MANY_LEVELS:
                self.levels = None

    def summary(self, size, is_complex):
        extent = None
        if self._count:
            extent = [
                acquired_lines(
                    self._profiles[axis] / self._count,
                    self._count * size[1 - axis],
                    is_complex,
                )
                for axis in (0, 1)
            ]
        return {
            "name": str(self.name),
            "split": self.split,
            "slices": self.slices,
            "extent": extent,
        }


def _steps(image):
    """Compare the steps between pixels with their neighbours.

    Returns:
        Four arrays: along W, the mean excess of each step over its two
        neighbours, and the mean of these neighbours; then the same along H.
    """
    out = []
    for pixels in (image, image.T):
        step = np.abs(np.diff(pixels, axis=1))
        around = (step[:, :-2] + step[:, 2:]) / 2
        out += [(step[:, 1:-1] - around).mean(0), around.mean(0)]
    return out


def _blocks(step, around):
    """Measure how much larger every eighth step is than the other steps.

    Returns:
        The excess as a share of the mean step, and in standard errors.
    """
    phase = np.arange(len(step)) % 8
    groups = [step[phase == p] for p in range(8)]
    means = np.array([group.mean() for group in groups])
    variances = [group.var(ddof=1) / len(group) for group in groups]
    largest = int(np.argmax(means))
    others = np.delete(np.arange(8), largest)
    excess = means[largest] - means[others].mean()
    error = np.sqrt(
        variances[largest] + np.mean([variances[p] for p in others]) / 7
    )
    level = around.mean()
    if not level or not error:
        return 0.0, 0.0
    return excess / level, excess / error
