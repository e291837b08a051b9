import experiments
from experiments.tables import table_by_patient


def test_table():
    cells = {
        (4.0, "learned"): [
            {"psnr": 30.0, "test": 0.25, "diverged": False},
            {"psnr": 31.0, "test": None, "diverged": True},
        ],
        (8.0, "random"): [{"psnr": 20.0, "diverged": False}],
    }
    header, rows = experiments.table(
        cells,
        {
            "R": lambda cell, _: f"{cell[0]:g}",
            "PSNR": experiments.spread("psnr"),
            "test": experiments.spread("test", 3),
            "twice": experiments.spread(lambda r: 2 * r["psnr"], 0),
            "seeds": experiments.count,
            "diverged": experiments.count_diverged,
        },
    )
    assert header == ["R", "PSNR", "test", "twice", "seeds", "diverged"]
    assert rows == [
        ["4", "30.50 ± 0.50", "0.250", "61 ± 1", "2", "1"],
        ["8", "20.00", "-", "40", "1", "0"],
    ]


def test_metric_is_of_volumes_then_of_seeds():
    records = [
        {"volumes": {"a": {"ssim": 0.5}, "b": {"ssim": 0.7}}},
        {"volumes": {"a": {"ssim": 0.8}, "b": {"ssim": 0.8}}},
        {"volumes": None},
    ]
    column = experiments.metric(lambda r: r["volumes"], "ssim", 3)
    assert column(None, records) == "0.700 ± 0.100"


def test_a_column_for_each_patient():
    def record(fold, *psnr):
        names = [f"{fold}{i}" for i in range(len(psnr))]
        return {
            "volumes": {v: {"psnr": x} for v, x in zip(names, psnr)},
            "patients": {v: f"patient{fold}" for v in names},
        }

    def volumes(record):
        return record["volumes"]

    cells = {
        (4.0, "learned", None): [record(0, 30.0, 31.0), record(1, 20.0)],
        (4.0, "given", None): [record(0, 28.0, 29.0)],
    }
    (table,) = table_by_patient(cells, volumes).values()
    assert table == (
        ["run", "patient0", "patient1"],
        [["4, learned", "30.50", "20.00"], ["4, given", "28.50", ""]],
    )
    alone = {(4.0,): [record(0, 30.0)], (8.0,): [{"volumes": None}]}
    assert table_by_patient(alone, volumes) == {}
