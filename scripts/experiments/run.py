"""One training of a grid."""

import collections
import dataclasses

from experiments.keeping import to_trace
from loupe_tf.evaluation import by_cell
from loupe_tf.provenance import environment


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """A cell of the grid with a fold and a seed: base of a frozen data class.

    A script adds the fields, including `seed`, and the property `stem`, a name
    that is unique within the fold.

    Attributes:
        fold: Integer, the fold of patients to test, see
            `loupe_tf.datasets.fold`; `None` for the splits of the data set.

    Example:

    ```python
    @dataclasses.dataclass(frozen=True)
    class Run(experiments.Run):
        acceleration: float
        mask: str
        seed: int

        order = {"mask": ["gaussian", "learned"]}

        @property
        def stem(self):
            return f"R{self.acceleration:g}-{self.mask}-seed{self.seed}"
    ```
    """

    fold: int | None = None

    order = {}
    """Values of fields in table order; other fields are sorted by value."""

    @property
    def cell(self):
        """The values of all fields but the fold and the seed, by name."""
        coordinates = self._coordinates()
        return collections.namedtuple("Cell", coordinates)(**coordinates)

    @property
    def name(self):
        """A name that is unique in the folder."""
        if self.fold is None:
            return self.stem
        return f"{self.stem}-fold{self.fold}"

    @classmethod
    def of(cls, record):
        """The run of a record."""
        # Records that are older than a field do not have it.
        return cls(
            **{
                f.name: record[f.name]
                for f in dataclasses.fields(cls)
                if f.name in record or f.default is dataclasses.MISSING
            }
        )

    @classmethod
    def cells(cls, records):
        """Lists of records by cell, in table order, sorted by seed."""

        def rank(record):
            coordinates = cls.of(record)._coordinates()
            return [
                # `None` comes first.
                (value is not None, value)
                if name not in cls.order
                else list(cls.order[name]).index(value)
                for name, value in coordinates.items()
            ]

        return by_cell(records, key=lambda r: cls.of(r).cell, order=rank)

    def record(self, history=None, keys=("loss", "val_loss", "round")):
        """Return the common part of records: run, training and environment.

        Args:
            history: (Optional) dict of lists, the history of the training.
            keys: Names of the lists to store.

        Returns:
            A dict that JSON can store.
        """
        record = {**dataclasses.asdict(self), **environment()}
        if history is not None:
            record["epochs"] = len(history["loss"])
            record["trace"] = to_trace(history, keys)
        return record

    def _coordinates(self):
        fields = dataclasses.asdict(self)
        del fields["fold"], fields["seed"]
        return fields
