"""The findings of an inspection of images, as a table and as a figure."""

import dataclasses
import textwrap

import numpy as np

from loupe_tf.datasets.inspecting.acquired_extent import axis_profile

# What a 2-D scan may leave out, by its axis of phase encoding.
LINES = {"W": "columns", "H": "rows"}
FOUND, NOT_FOUND, UNKNOWN = "found", "not found", "not looked at"


@dataclasses.dataclass(frozen=True)
class Finding:
    """The result of one check.

    Args:
        name: String, the name in JSON.
        title: String, the name in a table.
        verdict: String, `"found"`, `"not found"` or `"not looked at"`.
        value: String, the measured value.
        effect: String, the effect on a learned mask and on reported metrics,
            `""` unless the problem was found.
        numbers: Dictionary of measured values, for JSON.
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
    """The result of `inspect`; `print` shows it as a table.

    Args:
        findings: List of `Finding`.
        size: Tuple `(H, W)`.
        extent: Tuple `(h, w)`, the number of acquired lines along each axis;
            `H` or `W` if no border was found. Pass it to `crop_to_acquired`.
        volumes: List of dictionaries, one per volume: its `name`, `split`,
            `slices` and its own `extent`.
        sources: List of strings, the sources stated in the records.
        spectrum: Array of shape `(H, W)`, the mean log10-power of the images,
            with DC at `(H // 2, W // 2)`.
        phase_axes: Dictionary from the axis of phase encoding, `"H"` or `"W"`,
            to the number of volumes whose header states it.
    """

    findings: list
    size: tuple
    extent: tuple
    volumes: list
    sources: list
    spectrum: np.ndarray
    phase_axes: dict = dataclasses.field(default_factory=dict)

    def __getitem__(self, name):
        for finding in self.findings:
            if finding.name == name:
                return finding
        raise KeyError(name)

    @property
    def sentences(self):
        """The problems found, in words: a list of strings."""
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
            *self._phase_encoding(),
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

    def _phase_encoding(self):
        """A line on the axis of phase encoding; none if nothing is known."""
        shares = [m / n for m, n in zip(self.extent, self.size)]
        fewer = "" if shares[0] == shares[1] else "HW"[shares[0] > shares[1]]
        if len(self.phase_axes) > 1:
            each = ", ".join(
                f"{axis} in {n}" for axis, n in sorted(self.phase_axes.items())
            )
            return [f"phase encoding along {each} volumes (header)"]
        if not self.phase_axes:
            if not fewer:
                return []
            return [
                f"phase encoding perhaps along {fewer}, where fewer lines are "
                "acquired; no header states it"
            ]
        (axis,) = self.phase_axes
        text = f"phase encoding along {axis} (header): "
        text += f"--lines {LINES[axis]}"
        if fewer:
            agree = "which fits" if fewer == axis else "which is unusual"
            text += f"; fewer lines are acquired along {fewer}, {agree}"
        return [text]

    def to_json(self):
        """Return all but the spectrum, as a dictionary for `json.dumps`."""
        return {
            "size": list(self.size),
            "extent": list(self.extent),
            "sources": self.sources,
            "phase_axes": self.phase_axes,
            "findings": [
                {**dataclasses.asdict(f), "found": f.found}
                for f in self.findings
            ],
            "volumes": self.volumes,
        }

    def plot(self, figure=None):
        """Draw the mean log-spectrum and the acquired extent.

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
        image.set_xlabel("k along W, cycles per field of view")
        image.set_ylabel("k along H, cycles per field of view")
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
            ax.set_xlabel(f"k along {name}, cycles per field of view")
            ax.grid(alpha=0.3)
        curves[0].set_ylabel("mean log10 power near the centre")
        return figure
