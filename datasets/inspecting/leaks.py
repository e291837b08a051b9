"""Looks for what is in more than one split."""

import itertools

import numpy as np

from loupe_tf.datasets.inspecting.findings import (
    FOUND,
    NOT_FOUND,
    UNKNOWN,
    Finding,
)

# Correlation of two slices, reduced to 32×32 and without their coarse shape,
# above which they are one. Slices of different patients stay below 0.7,
# neighbours 3 mm apart below 0.9.
SAME_SLICE = 0.95
SIGNATURE = 32
LEAK = (
    "What is tested on was trained on. The network can remember it, and the "
    "figures say nothing of patients it has not seen. Split by patient."
)


class Leaks:
    """Gathers, image by image, who and what is in which split."""

    def __init__(self):
        self._patients = {}
        self._signatures = {}

    def add(self, image, split, volume, patient):
        """Adds one image, magnitudes of shape `(H, W)`."""
        self._patients.setdefault(split, set()).add(patient)
        self._signatures.setdefault(split, []).append(
            (volume, _signature(image))
        )

    def findings(self):
        """The `Finding` of patients, and that of slices, in two splits."""
        return self._same_patient(), self._same_slice()

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
