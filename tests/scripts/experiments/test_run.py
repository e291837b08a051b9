import dataclasses
import json

import pytest

import experiments.run


@dataclasses.dataclass(frozen=True)
class Run(experiments.run.Run):
    mask: str
    lines: str | None
    seed: int

    order = {"mask": ("unlearned", "learned")}


def test_a_record_tells_its_run():
    run = Run("learned", None, 3)
    history = {"loss": [1.0, 0.5], "val_loss": [2.0, float("nan")], "other": []}
    record = run.record(history, ("loss", "val_loss"))
    assert record["epochs"] == 2
    assert record["trace"] == {"loss": [1.0, 0.5], "val_loss": [2.0, None]}
    assert "versions" in record
    assert Run.of(json.loads(json.dumps(record))) == run


def test_a_run_without_training():
    record = Run("learned", None, 3).record()
    assert record["mask"] == "learned" and "epochs" not in record
    with pytest.raises(KeyError):
        Run.of({"mask": "learned", "seed": 3})


def test_cells_are_in_the_order_of_tables():
    every = [
        Run(mask, lines, seed)
        for seed in (1, 0)
        for mask in ("learned", "unlearned")
        for lines in ("rows", None, "columns")
    ]
    cells = Run.cells([dataclasses.asdict(run) for run in every])
    lines = (None, "columns", "rows")
    assert list(cells) == [
        *(("unlearned", each) for each in lines),
        *(("learned", each) for each in lines),
    ]
    assert {run.cell for run in every} == set(cells)
    for records in cells.values():
        assert [record["seed"] for record in records] == [0, 1]


def test_records_of_old_runs_do_without_what_came_later():
    record = {"mask": "learned", "lines": None, "seed": 3}
    run = Run.of(record)
    assert run.fold is None and run.cell == ("learned", None)
    assert run.cell.mask == "learned"
