"""What is wrong with images before a mask is learned on them."""

import dataclasses
import itertools
import textwrap
import warnings

import numpy as np
import tensorflow_datasets as tfds

from loupe_tf.datasets.acquired_extent import (
    acquired_lines,
    axis_profile,
    corner_radius,
    log_power,
)
from loupe_tf.datasets.arrays import prepared_builder

FOUND, NOT_FOUND, UNKNOWN = "found", "not found", "not looked at"

# A complex image is real, but for a constant phase, when no more than this
# share of its energy is imaginary.
IMAGINARY = 1e-4
# An 8-bit image has no more grey levels.
COARSE = 256
# Beyond this many, levels are not counted on.
MANY_LEVELS = 4096
# Steps across the borders of 8×8 blocks are larger than their neighbours by
# this share, and by this many standard errors, along both axes.
BLOCK, BLOCK_ERRORS = 0.03, 4.5
SMALLEST_FOR_BLOCKS = 32
# Correlation of two slices, reduced to 32×32 and without their coarse shape,
# above which they are one. Slices of different patients stay below 0.7,
# neighbours 3 mm apart below 0.9.
SAME_SLICE = 0.95
SIGNATURE = 32


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that was looked for.

    Args:
        name: String, what it is called in JSON.
        title: String, what it is called in a table.
        verdict: String, `"found"`, `"not found"` or `"not looked at"`.
        value: String, what was measured.
        effect: String, what it does to a learned mask and to the figures that
            are reported, `""` unless it was found.
        numbers: Dictionary of what was measured, for JSON.
    """

    name: str
    title: str
    verdict: str
    value: str
    effect: str = ""
    numbers: dict = dataclasses.field(default_factory=dict)

    @property
    def found(self):
        return self.verdict == FOUND

    @property
    def sentence(self):
        """The finding in words."""
        return f"{self.title}: {self.value}. {self.effect}".strip()


@dataclasses.dataclass(frozen=True)
class Inspection:
    """What `inspect` has found; `print` shows it as a table.

    Args:
        findings: List of `Finding`.
        size: Tuple `(H, W)`.
        extent: Tuple `(h, w)`, the number of lines along each axis that were
            acquired; `(H, W)` where no border was found. `crop_to_acquired`
            takes it.
        volumes: List of dictionaries, one a volume: its `name`, `split`,
            `slices` and its own `extent`.
        sources: List of strings, where the records say they come from.
        spectrum: Array of shape `(H, W)`, the mean log10-power of the images,
            with DC at `(H // 2, W // 2)`.
    """

    findings: list
    size: tuple
    extent: tuple
    volumes: list
    sources: list
    spectrum: np.ndarray

    def __getitem__(self, name):
        for finding in self.findings:
            if finding.name == name:
                return finding
        raise KeyError(name)

    @property
    def sentences(self):
        """What was found, in words: a list of strings."""
        return [f.sentence for f in self.findings if f.found]

    def __str__(self):
        splits = {}
        for volume in self.volumes:
            splits[volume["split"]] = splits.get(volume["split"], 0) + 1
        height, width = self.size
        slices = sum(volume["slices"] for volume in self.volumes)
        counts = ", ".join(
            f"{count} {split}".rstrip() for split, count in splits.items()
        )
        lines = [
            f"{slices} images of {height} × {width}; volumes: {counts}; "
            f"source: {', '.join(self.sources) or 'not known'}",
            "",
        ]
        rows = [("looked for", "", "")]
        rows += [(f.title, f.verdict, f.value) for f in self.findings]
        widths = [max(len(row[i]) for row in rows) for i in range(2)]
        for row in rows:
            cells = [cell.ljust(n) for cell, n in zip(row, widths)]
            lines.append("  ".join([*cells, row[2]]).rstrip())
        for finding in self.findings:
            if finding.found:
                text = f"{finding.title}: {finding.effect}"
                lines += ["", textwrap.fill(text, 80)]
        return "\n".join(lines)

    def to_json(self):
        """All of it but the spectrum, as a dictionary for `json.dumps`."""
        return {
            "size": list(self.size),
            "extent": list(self.extent),
            "sources": self.sources,
            "findings": [
                {**dataclasses.asdict(f), "found": f.found}
                for f in self.findings
            ],
            "volumes": self.volumes,
        }

    def plot(self, figure=None):
        """Draws the mean log-spectrum and the extent that was acquired.

        Args:
            figure: (Optional) Matplotlib figure or sub-figure to draw into.

        Returns:
            The figure.
        """
        if figure is None:
            from matplotlib.figure import Figure

            figure = Figure(figsize=(11, 4), dpi=150, layout="constrained")
        image, *curves = figure.subplots(1, 3)
        height, width = self.size
        left, top = -(width // 2) - 0.5, -(height // 2) - 0.5
        low, high = np.quantile(self.spectrum, (0.01, 0.999))
        drawn = image.imshow(
            self.spectrum,
            extent=(left, left + width, top + height, top),
            cmap="viridis",
            vmin=low,
            vmax=high,
        )
        image.set_title("Mean log-spectrum")
        image.set_xlabel("frequency along W")
        image.set_ylabel("frequency along H")
        figure.colorbar(
            drawn, ax=image, fraction=0.046, pad=0.03, label="log10 power"
        )
        borders = [(-(m // 2) - 0.5, m - m // 2 - 0.5) for m in self.extent]
        (y0, y1), (x0, x1) = borders
        image.plot(
            [x0, x1, x1, x0, x0], [y0, y0, y1, y1, y0], "--", color="#D55E00"
        )
        for axis, ax in enumerate(curves):
            n, m = self.size[axis], self.extent[axis]
            ax.plot(
                np.arange(n) - n // 2,
                axis_profile(self.spectrum, axis),
                color="#0072B2",
            )
            for border in borders[axis] if m < n else ():
                ax.axvline(border, color="#D55E00", linestyle="--")
            name = "HW"[axis]
            ax.set_title(f"Along {name}: {m} of {n} lines ({m / n:.2f})")
            ax.set_xlabel(f"frequency along {name}")
            ax.grid(alpha=0.3)
        curves[0].set_ylabel("mean log10 power near the centre")
        return figure


def inspect(
    images,
    volumes=None,
    patients=None,
    source=None,
    data_dir=None,
    max_slices=1000,
):
    """Looks for what makes a learned mask, or its figures, too good.

    Data that were published to be looked at have been processed, and learning
    to rebuild them is easier than rebuilding a scan (Shimron, Tamir, Wang and
    Lustig, "Implicit data crimes", PNAS 119, 2022). Looked for are:

    - a Hermitian k-space, whose one half tells the other: all magnitude images
        have one;
    - borders of k-space that were filled with zeros, along each axis, and
        corners that were filtered away;
    - 8-bit quantisation, and the 8×8 blocks of JPEG;
    - the same patient, or nearly the same slice, in two splits.

    What was *not found* may be there all the same: a narrow border, a signal
    that had sunk into noise before, JPEG of a quality above 90.

    Example:

    ```python
    inspection = loupe_tf.datasets.inspect("mri_volumes/flair")
    print(inspection)
    inspection.plot().savefig("spectrum.png")
    ```

    Args:
        images: One of: an array of shape `(n, H, W)` or `(n, H, W, 1)`, real or
            complex, or `(n, H, W, 2)`, real and imaginary; a dictionary of such
            arrays by split; the name of a prepared TFDS data set with a feature
            `image`, or its `tfds.core.DatasetBuilder`, of which all splits are
            read.
        volumes: Array of shape `(n,)`, the volume of each image, or a
            dictionary of them by split. By default a split is one volume. Not
            used with a data set, whose features say it.
        patients: The same for patients.
        source: String, or the same for it: where the images come from, such as
            `"magnitude_image"`.
        data_dir: Optional path of the folder that holds the TFDS data sets.
        max_slices: Integer, how many images of a split are looked at, evenly
            spread. All of them are compared between splits.

    Returns:
        An `Inspection`.
    """
    inspector = Inspector()
    if isinstance(images, str) or isinstance(images, tfds.core.DatasetBuilder):
        _add_dataset(inspector, images, data_dir, max_slices)
        return inspector.result()

    splits = images if isinstance(images, dict) else {"": images}
    if not splits:
        raise ValueError(
            "Invalid value for argument `images`. Expected images. "
            "Received: an empty dictionary"
        )
    for split, array in splits.items():
        array = _to_images(array)
        columns = {}
        for name, argument, each in (
            ("volume", "volumes", volumes),
            ("patient", "patients", patients),
            ("source", "source", source),
        ):
            columns[name] = _column(argument, each, split, len(array))
        looked_at = _spread(len(array), max_slices)
        for i, image in enumerate(array):
            inspector.add(
                image,
                split=split,
                **{name: column[i] for name, column in columns.items()},
                signature_only=not looked_at[i],
            )
    return inspector.result()


def warn_of_data_crimes(images, volumes=None, patients=None, source=None):
    """Warns, once, of what makes training on these images too easy.

    To be called before training. What it returns belongs into the report of the
    run, beside the figures.

    Args:
        images, volumes, patients, source: As those of `inspect`. At most 256
            images of a split are looked at, and all are compared between
            splits.

    Returns:
        A list of sentences, empty if nothing was found. There is one
        `UserWarning` with all of them.
    """
    inspection = inspect(images, volumes, patients, source, max_slices=256)
    sentences = inspection.sentences
    if sentences:
        lines = "\n".join(f"- {sentence}" for sentence in sentences)
        warnings.warn(
            "Figures obtained from these images will be optimistic:\n" + lines,
            stacklevel=2,
        )
    return sentences


class Inspector:
    """Gathers, image by image, what `inspect` needs to know.

    Images come volume by volume or mixed; memory grows by a few kB an image.
    All have one size.
    """

    def __init__(self):
        self._volumes = {}
        self._patients = {}
        self._signatures = {}
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
    ):
        """Adds one image of shape `(H, W)`, of the volume and patient named."""
        if self._size is None:
            self._size = image.shape
            self._is_complex = np.iscomplexobj(image)
        if image.shape != self._size:
            raise ValueError(
                "Invalid shape of an image. Expected one size for all, "
                f"{self._size}. Received: {image.shape} in volume {volume}"
            )
        kept = self._volumes.setdefault((split, volume), _Volume(split, volume))
        kept.slices += 1
        self._patients.setdefault(split, set()).add(patient)
        if source:
            self._sources.add(source)
        self._signatures.setdefault(split, []).append(
            (volume, _signature(np.abs(image)))
        )
        if signature_only:
            return
        spectrum, count = log_power(image[None])
        if not count:
            return
        self._spectrum = self._spectrum + spectrum
        self._count += 1
        kept.add(image, spectrum)
        if self._is_complex:
            # The constant phase that makes the image as real as possible.
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
        """Returns the `Inspection` of all images added."""
        if not self._count:
            raise ValueError(
                "Invalid images. Expected at least one that is not zero "
                "everywhere. Received: none"
            )
        spectrum = self._spectrum / self._count
        volumes = [v.summary(self._size, self._is_complex) for v in self._each]
        extent = self._extent(spectrum, volumes)
        findings = [
            self._hermitian(),
            *(self._border(axis, extent, volumes) for axis in (0, 1)),
            self._corners(spectrum, extent),
            self._quantised(),
            self._jpeg(),
            self._same_patient(),
            self._same_slice(),
        ]
        return Inspection(
            findings=findings,
            size=tuple(self._size),
            extent=extent,
            volumes=volumes,
            sources=sorted(self._sources),
            spectrum=spectrum,
        )

    @property
    def _each(self):
        return self._volumes.values()

    def _extent(self, spectrum, volumes):
        """That of the mean spectrum, or of most volumes where it has none."""
        extent = []
        for axis, n in enumerate(self._size):
            lines = acquired_lines(
                axis_profile(spectrum, axis),
                self._count * self._size[1 - axis],
                self._is_complex,
            )
            if lines == n:
                each = sorted(v["extent"][axis] for v in volumes if v["extent"])
                lines = each[len(each) // 2]
            extent.append(lines)
        return tuple(extent)

    def _hermitian(self):
        effect = (
            "One half of k-space tells the other, and so would a scan only if "
            "its images had no phase. A mask learned on these images takes "
            "samples from one half alone, or gains from it; the acceleration "
            "it reaches at a given PSNR is up to twice that of a scan. Use "
            "complex images where there are any."
        )
        if not self._is_complex:
            return Finding(
                "hermitian",
                "Hermitian k-space",
                FOUND,
                "by construction, for the images are real (magnitudes)",
                effect,
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
        if len(each) > 1:
            value += f"; seen in {len(having)} of {len(each)} volumes"
        if having and max(having) - min(having) > 0.05 * n:
            value += (
                f", from {min(having) / n:.2f} to {max(having) / n:.2f}: look "
                "at acquisitions apart"
            )
        effect = (
            "Beyond it the scanner has acquired nothing, or next to nothing. A "
            "learned mask finds that out and spends its budget inside, so that "
            f"an acceleration of 4 on the whole matrix is {4 * m / n:.1f} on "
            "what was acquired along this axis, and the PSNR is that of the "
            "lower one. Build the data with crop_to_acquired=True."
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
            f"which is {100 * share:.0f} % of what was acquired",
            "A filter has taken the corners away, or they were never acquired. "
            "A learned mask of points leaves them out for that reason, and its "
            f"acceleration is flattered by up to {100 * share:.0f} %. Masks of "
            "lines are hardly touched.",
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
            "The images were stored in 8 bits or less. Rounding is noise that "
            f"no reconstruction removes: a PSNR of {ceiling:.0f} dB or more "
            "means nothing. It fills k-space evenly, so that it also hides "
            "where the acquisition ended.",
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
            f"steps across 8×8 blocks are larger by {100 * excess:.1f} %",
            "Lossy compression has thrown away detail block by block. The "
            "network learns to draw blocks, and the true images are not the "
            "truth: figures compare with the compressed ones. Go back to the "
            "images before compression."
            if found
            else "",
            {"excess": float(excess), "standard_errors": float(errors)},
        )

    def _same_patient(self):
        title = "A patient in two splits"
        if len(self._patients) < 2:
            return Finding("same_patient", title, UNKNOWN, "there is one split")
        if any(not any(names) for names in self._patients.values()):
            return Finding(
                "same_patient", title, UNKNOWN, "patients are not named"
            )
        shared = set()
        for one, other in itertools.combinations(self._patients.values(), 2):
            shared |= (one & other) - {""}
        shared = sorted(map(str, shared))
        count = len(shared)
        return Finding(
            "same_patient",
            title,
            FOUND if shared else NOT_FOUND,
            f"{count} by name: {_some(shared)}" if shared else "none by name",
            LEAK if shared else "",
            {"patients": shared},
        )

    def _same_slice(self):
        title = "A slice in two splits"
        if len(self._signatures) < 2:
            return Finding("same_slice", title, UNKNOWN, "there is one split")
        splits = {
            split: (
                np.array([str(name) for name, _ in each]),
                np.stack([signature for _, signature in each]),
            )
            for split, each in self._signatures.items()
        }
        largest, pairs, count = 0.0, set(), 0
        for one, other in itertools.combinations(splits, 2):
            names, signatures = splits[one]
            others, those = splits[other]
            for start in range(0, len(those), 1024):
                part = signatures @ those[start : start + 1024].T
                largest = max(largest, float(part.max()))
                same = np.argwhere(part > SAME_SLICE)
                count += len(np.unique(same[:, 1]))
                pairs |= {
                    f"{one} {names[i]} and {other} {others[start + j]}"
                    for i, j in same
                }
        pairs = sorted(pairs)
        value = f"largest correlation {largest:.2f}"
        if pairs:
            value = f"{count} slices nearly identical: {_some(pairs)}"
        return Finding(
            "same_slice",
            title,
            FOUND if pairs else NOT_FOUND,
            value,
            LEAK if pairs else "",
            {"slices": count, "volumes": pairs, "correlation": largest},
        )


LEAK = (
    "What is tested on was trained on. The network can remember it, and the "
    "figures say nothing of patients it has not seen. Split by patient."
)


class _Volume:
    """What is kept of one volume."""

    def __init__(self, split, name):
        self.split, self.name = split, name
        self.slices, self._count, self.nonzero = 0, 0, 0
        self._profiles = None
        self.levels = np.zeros(0)

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


def _add_dataset(inspector, name, data_dir, max_slices):
    builder = prepared_builder(name, data_dir, argument="images")
    features = builder.info.features
    if "image" not in features:
        raise ValueError(
            "Invalid value for argument `images`. Expected a data set with a "
            f"feature `image`. Received: {builder.info.full_name} with "
            f"{sorted(features)}"
        )
    keys = {
        "volume": "volume",
        "patient": "patient" if "patient" in features else "subject",
        "source": "source",
    }
    keys = {name: key for name, key in keys.items() if key in features}
    for split, info in builder.info.splits.items():
        looked_at = _spread(info.num_examples, max_slices)
        for i, record in enumerate(_records(builder, split, keys.values())):
            texts = {name: _decoded(record[key]) for name, key in keys.items()}
            inspector.add(
                _to_images(record["image"][None])[0],
                split=split,
                **texts,
                signature_only=not looked_at[i],
            )


def _records(builder, split, keys):
    file_format = tfds.core.FileFormat.ARRAY_RECORD
    if builder.info.file_format == file_format:
        return iter(builder.as_data_source(split=split))
    wanted = dict.fromkeys(("image", *keys), True)
    decoders = tfds.decode.PartialDecoding(wanted)
    return tfds.as_numpy(builder.as_dataset(split=split, decoders=decoders))


def _to_images(array):
    """Images `(n, H, W)`, real or complex, from whatever `inspect` takes."""
    array = np.asarray(array)
    if array.ndim == 4 and array.shape[-1] == 1:
        array = array[..., 0]
    elif array.ndim == 4 and array.shape[-1] == 2:
        array = array[..., 0] + 1j * array[..., 1]
    if array.ndim != 3 or 0 in array.shape or array.dtype.kind not in "uifc":
        raise ValueError(
            "Invalid value for argument `images`. Expected numbers of shape "
            "(n, H, W), (n, H, W, 1) or (n, H, W, 2). "
            f"Received: shape={array.shape}, dtype={array.dtype}"
        )
    if not np.isfinite(array).all():
        raise ValueError(
            "Invalid value for argument `images`. Expected finite values. "
            f"Received: {np.sum(~np.isfinite(array))} that are not"
        )
    return array


def _column(name, values, split, length):
    """What `volumes`, `patients` or `source` says of each image of a split."""
    if isinstance(values, dict):
        values = values.get(split)
    if values is None or isinstance(values, str):
        return [values or ""] * length
    values = np.asarray(values)
    if values.shape != (length,):
        raise ValueError(
            f"Invalid shape for argument `{name}`. Expected ({length},), one "
            f"for each image. Received: shape={values.shape}"
        )
    return [_decoded(value) for value in values.tolist()]


def _spread(length, number):
    """Booleans that choose `number` of `length`, evenly spread."""
    chosen = np.zeros(length, bool)
    chosen[np.linspace(0, length - 1, min(number, length)).astype(int)] = True
    return chosen


def _decoded(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def _some(names, most=3):
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _signature(image):
    """What a slice looks like: small, without coarse shape, of norm one."""
    for axis in (0, 1):
        n = image.shape[axis]
        if n > SIGNATURE:
            edges = np.linspace(0, n, SIGNATURE + 1).round().astype(int)
            sums = np.add.reduceat(image, edges[:-1], axis)
            image = sums / np.expand_dims(np.diff(edges), 1 - axis)
    height, width = image.shape
    padded = np.pad(image, 1, mode="edge")
    around = sum(
        padded[i : i + height, j : j + width]
        for i in range(3)
        for j in range(3)
    )
    detail = (image - around / 9).ravel().astype("float32")
    return detail / max(np.linalg.norm(detail), 1e-12)


def _steps(image):
    """By column, and then by row: the step to the next, less its neighbours.

    Returns:
        Four arrays: along W the mean of each step less that of the two beside
        it, and the latter; and the same along H.
    """
    out = []
    for pixels in (image, image.T):
        step = np.abs(np.diff(pixels, axis=1))
        around = (step[:, :-2] + step[:, 2:]) / 2
        out += [(step[:, 1:-1] - around).mean(0), around.mean(0)]
    return out


def _blocks(step, around):
    """How much larger the steps are at every eighth place than elsewhere.

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
