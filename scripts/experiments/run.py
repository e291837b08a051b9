"""One training of a grid."""

import dataclasses

from experiments.keeping import to_trace
from loupe_tf.evaluation import by_cell
from loupe_tf.provenance import environment


class Run:
    """A cell of the grid and a seed: base of a frozen data class.

    A script adds the fields, `seed` among them, and the property `name`, which
    no other run of the folder has.

    Example:

    ```python
    @dataclasses.dataclass(frozen=True)
    class Run(experiments.Run):
        acceleration: float
        mask: str
        seed: int

        order = {"mask": ["gaussian", "learned"]}

        @property
        def name(self):
            return f"R{self.acceleration:g}-{self.mask}-seed{self.seed}"
    ```
    """

    order = {}
    """Values of fields in the order of tables; of others it is their own."""

    @property
    def cell(self):
        """The values of all fields but the seed."""
        fields = dataclasses.asdict(self)
        del fields["seed"]
        return tuple(fields.values())

    @classmethod
    def of(cls, record):
        """The run that a record is of."""
        return cls(**{f.name: record[f.name] for f in dataclasses.fields(cls)})

    @classmethod
    def cells(cls, records):
        """Lists of records by cell, in the order of tables, sorted by seed."""

        def rank(record):
            run = dataclasses.asdict(cls.of(record))
            return [
                # `None` comes first.
                (value is not None, value)
                if name not in cls.order
                else list(cls.order[name]).index(value)
                for name, value in run.items()
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
