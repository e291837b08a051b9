"""Look for patients and slices that are in more than one split."""

import itertools

import numpy as np

from loupe_tf.datasets.inspecting.findings import (
    FOUND,
    NOT_FOUND,
    UNKNOWN,
    Finding,
)

# Two slices count as the same if their correlation is higher, after reduction
# to 32×32 and removal of the coarse shape. It is below 0.7 for different
# patients and below 0.9 for neighbours 3 mm apart.
SAME_SLICE = 0.95
SIGNATURE = 32
LEAK = (
    "The test uses training data. The network can memorise them, so the "
    "metrics do not apply to new patients. Split by patient."
)


class Leaks:
    """Collects, image by image, the patients and slices of each split."""

    def __init__(self):
        self._patients = {}
        self._signatures = {}

    def add(self, image, split, volume, patient):
        """Add one image, magnitudes of shape `(H, W)`."""
        self._patients.setdefault(split, set()).add(patient)
        self._signatures.setdefault(split, []).append(
            (volume, _signature(image))
        )

    def findings(self):
        """Return the findings of patients and of slices in two splits."""
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
    """A slice reduced in size, without coarse shape, scaled to norm one."""
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
