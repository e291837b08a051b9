"""The record that a round writes into the run folder for the next round."""

import math

from loupe_tf.reading import BadFileError
from loupe_tf.records import checksum, load_weights, read_record

# Keys of a record and their types. Round two may keep round one's weights.
KINDS = {
    "history": dict,
    "epochs": int,
    "best": (float, int, type(None)),
    "weights": (str, type(None)),
}
WEIGHTS = {number: f"round_{number}.weights.h5" for number in (1, 2)}
# The record before round one.
NOTHING = {"history": {}, "epochs": 0, "best": None, "weights": None}


def round_record(number, last, history, best):
    """Make the record of a round.

    Args:
        number: Integer, the number of the round: 1 or 2.
        last: Dict, the record of the previous round.
        history: Dict of lists, the logs of the epochs of this round.
        best: Float, the best value so far, or `None`.

    Returns:
        A dict with `history` and `epochs` of all rounds, the `best` value, and
        `weights`, the name of the file with the best weights, or `None`.
    """
    rounds = [number] * len(history.get("epoch", ()))
    history = _join(last["history"], {**history, "round": rounds})
    best = None if best is None else float(best)
    improved = best not in (None, last["best"]) and math.isfinite(best)
    return {
        "history": history,
        "epochs": len(history.get("epoch", ())),
        "best": best,
        "weights": WEIGHTS[number] if improved else last["weights"],
    }


def write_round(folder, number, record):
    """Write the record into a `RunFolder`; return it with its checksum."""
    if folder.writes and record["weights"] is not None:
        crc = checksum(folder / record["weights"])
        record = {**record, "weights_crc32c": crc}
    folder.write_record(f"round_{number}.json", record)
    return record


def read_round(folder, number):
    """Read the record of a round from a `RunFolder`.

    Returns:
        The dict, or `None` if the round has not ended.

    Raises:
        BadFileError: If the file is damaged.
    """
    path = folder / f"round_{number}.json"
    if not path.exists():
        return None
    remedy = f"Delete it to train round {number} again"
    record = read_record(path, KINDS, remedy)
    if record["weights"] not in (None, *WEIGHTS.values()):
        # Do not let the file choose which other files are read.
        raise BadFileError(
            path,
            f"Expected weights of {sorted(WEIGHTS.values())}. Received: "
            f"{record['weights']!r}. {remedy}",
        )
    return record


def load_best(model, folder, record):
    """Load the weights of the best epoch so far, if there is one.

    Raises:
        BadFileError: If the file of weights is damaged.
    """
    name = record["weights"]
    if name is not None:
        again = folder / name.replace(".weights.h5", ".json")
        remedy = f"Delete {again} to train that round again"
        crc = record.get("weights_crc32c")
        load_weights(model, folder / name, crc, remedy)


def _join(first, second):
    """Concatenate two histories, with `None` where one lacks a key."""
    lengths = [len(h.get("epoch", ())) for h in (first, second)]
    keys = list(dict.fromkeys([*first, *second]))
    return {
        key: first.get(key, [None] * lengths[0])
        + second.get(key, [None] * lengths[1])
        for key in keys
    }
