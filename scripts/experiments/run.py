"""One training of a grid."""

import collections
import dataclasses

from experiments.keeping import to_trace
from loupe_tf.evaluation import by_cell
from loupe_tf.provenance import environment


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """A cell of the grid, a fold and a seed: base of a frozen data class.

    A script adds the fields, `seed` among them, and the property `stem`, a
    name that no other run of the same fold has.

    Attributes:
        fold: Integer, which patients are tested, see `loupe_tf.datasets.fold`;
            `None` where the splits of the data set are taken.

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
    """Values of fields in the order of tables; of others it is their own."""

    @property
    def cell(self):
        """The values of all fields but the fold and the seed, by name."""
        coordinates = self._coordinates()
        return collections.namedtuple("Cell", coordinates)(**coordinates)

    @property
    def name(self):
        """What no other run of the folder is called."""
        if self.fold is None:
            return self.stem
        return f"{self.stem}-fold{self.fold}"

    @classmethod
    def of(cls, record):
        """The run that a record is of."""
        # Records that were written before a field was added do without it.
        return cls(
            **{
                f.name: record[f.name]
                for f in dataclasses.fields(cls)
                if f.name in record or f.default is dataclasses.MISSING
            }
        )

    @classmethod
    def cells(cls, records):
        """Lists of records by cell, in the order of tables, sorted by seed."""

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
        """What every record says: the run, its training, where it was run.

        Args:
            history: (Optional) dict of lists, of the training.
            keys: Names of the lists that are kept.

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
