"""Assign patients to splits."""

import csv
import hashlib
import io
import pathlib

import numpy as np

from loupe_tf.checks import invalid
from loupe_tf.datasets.splits import SPLITS

SUFFIXES = (".nii.gz", ".img.gz", ".nii", ".img", ".hdf5", ".h5", ".npy")


def split_of_patients(patients, split, seed=0):
    """Assign volumes to splits, by their patients.

    Args:
        patients: Dictionary of the patient of each volume, by the name of the
            volume.
        split: One of: three shares for train, validation and test, which sum
            to 1; a dictionary by split of lists of patients; a `CsvSplit`.
        seed: Integer. With shares, it changes the choice of patients.

    Returns:
        A dictionary by split of lists of volumes, in the given order, without
        volumes that `split` does not name. With shares, a hash of the patient's
        name decides, so that adding other patients changes nothing. If that
        would leave a split without patients, they are dealt out in the order
        of their hashes, at least one per split; a patient may then move when
        others are added.
    """
    if isinstance(split, dict):
        chosen = _of_lists(patients, split)
    elif isinstance(split, CsvSplit):
        chosen = split.choose(patients)
    else:
        dealt = _deal(set(patients.values()), split, seed)
        chosen = {
            volume: dealt[patient] for volume, patient in patients.items()
        }
    _check_patients(patients, chosen)
    wanted = SPLITS
    if isinstance(split, tuple):
        wanted = [s for s, share in zip(SPLITS, split) if share]
    elif isinstance(split, dict):
        wanted = [s for s in SPLITS if s in split]
    out = {
        name: [v for v in patients if chosen.get(v) == name] for name in wanted
    }
    if isinstance(split, CsvSplit):
        out = {name: volumes for name, volumes in out.items() if volumes}
    empty = [name for name, volumes in out.items() if not volumes]
    if empty or not out:
        raise invalid(
            "split",
            "volumes in each split",
            found=f"none in {' and '.join(empty) or 'any'}, of "
            f"{len(set(patients.values()))} patients; name the patients "
            "of each split, or use other shares",
        )
    return out


class CsvSplit:
    """A table of volumes, or of patients, and their splits.

    Args:
        path: Path of a CSV file with a header. It has the columns `split`
            (`train`, `validation` or `test`) and `volume` (the path relative to
            the folder, with or without suffix), `patient`, or both.
    """

    def __init__(self, path):
        self.path = pathlib.Path(path)
        try:
            # Spreadsheets write a byte order mark at the start.
            self.text = self.path.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise invalid(
                "split", "a CSV file", found=f"split={path} ({error})"
            ) from error
        reader = csv.DictReader(io.StringIO(self.text))
        columns = set(reader.fieldnames or ())
        if "split" not in columns or not columns & {"volume", "patient"}:
            raise self._bad(
                "the columns `split` and `volume`, `patient` or both",
                f"columns {sorted(columns)}",
            )
        self.rows = [
            {key: (value or "").strip() for key, value in row.items() if key}
            for row in reader
        ]
        for row in self.rows:
            if row["split"] not in SPLITS:
                raise self._bad(f"splits among {SPLITS}", row["split"])

    def choose(self, patients):
        """Return the split of each volume that the table names.

        If the table states patients of volumes, they are written to `patients`.
        """
        by_volume = bool(self.rows) and "volume" in self.rows[0]
        if not by_volume:
            known = {patient: [] for patient in patients.values()}
            for volume, patient in patients.items():
                known[patient].append(volume)
        else:
            known = {volume: [volume] for volume in patients}
            known |= {without_suffix(volume): [volume] for volume in patients}
        chosen, absent = {}, []
        for row in self.rows:
            key = row["volume" if by_volume else "patient"]
            if key not in known:
                absent.append(key)
            for volume in known.get(key, ()):
                if chosen.setdefault(volume, row["split"]) != row["split"]:
                    raise self._bad(
                        "each volume and patient in one split",
                        f"{key} in {chosen[volume]} and {row['split']}",
                    )
                if by_volume and row.get("patient"):
                    patients[volume] = row["patient"]
        if absent:
            what = "volumes" if by_volume else "patients"
            raise self._bad(
                f"existing {what}",
                f"{len(absent)} missing: {', '.join(absent[:5])}",
            )
        return chosen

    def _bad(self, expected, received):
        return invalid("split", f"{expected} in {self.path}", found=received)


def without_suffix(name):
    """A path without `.nii.gz` or any other suffix of a volume."""
    parent, slash, last = name.rpartition("/")
    lower = last.lower()
    for suffix in SUFFIXES:
        if lower.endswith(suffix):
            last = last[: -len(suffix)]
            break
    return parent + slash + last


def _of_lists(patients, split):
    wanted = {}
    for name, each in split.items():
        for patient in each:
            if wanted.setdefault(patient, name) != name:
                raise invalid(
                    "split",
                    "each patient in one split",
                    found=f"{patient} in {wanted[patient]} and {name}",
                )
    absent = sorted(set(wanted) - set(patients.values()))
    if absent:
        raise invalid(
            "split",
            f"existing patients: {sorted(set(patients.values()))[:10]}",
            found=absent,
        )
    return {
        volume: wanted[patient]
        for volume, patient in patients.items()
        if patient in wanted
    }


def _deal(patients, shares, seed):
    """The split of each patient, by shares."""
    places = {patient: _place(patient, seed) for patient in patients}
    wanted = [name for name, share in zip(SPLITS, shares) if share]
    ends = np.cumsum([share for share in shares if share])
    # The rest, due to rounding, goes to the last split.
    numbers = [
        min(int(np.searchsorted(ends, place, "right")), len(wanted) - 1)
        for place in places.values()
    ]
    counts = np.bincount(numbers, minlength=len(wanted))
    if len(patients) >= len(wanted):
        while not counts.all():
            # Take from the split with the largest excess over its share, but
            # not its last patient.
            excess = counts / np.diff(ends, prepend=0) * (counts > 1)
            counts[np.argmax(excess)] -= 1
            counts[np.argmin(counts)] += 1
    # Deal in the order of the hashes: with unchanged counts nobody moves.
    names = np.repeat(wanted, counts).tolist()
    return dict(zip(sorted(places, key=places.get), names, strict=True))


def _place(patient, seed):
    digest = hashlib.sha256(f"{seed}:{patient}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _check_patients(patients, chosen):
    splits = {}
    for volume, name in chosen.items():
        splits.setdefault(patients[volume], set()).add(name)
    both = sorted(p for p, names in splits.items() if len(names) > 1)
    if both:
        raise invalid(
            "split",
            "each patient in one split",
            found=f"{', '.join(both[:5])} in "
            f"{' and '.join(sorted(splits[both[0]]))}",
        )
