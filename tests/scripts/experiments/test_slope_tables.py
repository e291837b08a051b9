import collections

from experiments import findings, slope_claims, slope_tables

Cell = collections.namedtuple(
    "Cell", "acceleration method protocol slope region", defaults=["auto"]
)


def _records(*psnr, **fields):
    """A record for each fold, which tests a patient of one volume."""
    return [
        {
            **{"fold": i, "seed": 100 * i, "patients": {f"v{i}": str(i)}},
            **{"volumes": {f"v{i}": {"psnr": x}}, "best_val_psnr": x},
            **{"epochs": 80, "slope_found": 20.0 * (i + 1), **fields},
        }
        for i, x in enumerate(psnr)
        if x is not None
    ]


def _volumes(record):
    return record["volumes"]


S20 = Cell(4.0, "fixed", "two_rounds", 20.0)
FOUR_S = Cell(4.0, "4s", "two_rounds", None)
CELLS = {
    S20._replace(region="none"): _records(28.0, 29.1, 30.2),
    S20: _records(30.0, 31.0, 32.0, slope_found=20.0),
    # Better on its only fold.
    S20._replace(slope=200.0): _records(33.0),
    S20._replace(slope=2000.0): _records(29.0, 30.1, 31.0),
    FOUR_S: _records(30.5, 31.6, 32.4),
    FOUR_S._replace(method="concrete"): _records(29.5, 30.5),
}


def _rows(found):
    return [row[1:] for _, rows in found["tables"].values() for row in rows]


def test_gains_of_4s_and_of_a_region():
    found = findings(slope_claims.claims(CELLS), _volumes)
    assert _rows(found) == [
        [
            "4S against s = 20, two rounds, with a region",
            "+0.50 [+0.25, +0.75]",
            "better (detectable: 0.31)",
        ],
        [
            "s = 20, two rounds: a region against none",
            "+1.90 [+1.65, +2.15]",
            "better (detectable: 0.31)",
        ],
    ]


def test_gains_of_others_over_4s():
    found = findings(slope_claims.claims_of_others(CELLS), _volumes)
    whats, gains, verdicts = zip(*_rows(found))
    # A single patient has no interval, so s = 200 has a sentence.
    assert whats == (
        "s = 2000 against 4S, with a region",
        "concrete against 4S, with a region",
    )
    assert gains == ("-1.47 [-1.61, -1.32]", "-1.05 [-1.69, -0.41]")
    assert verdicts[0] == "worse (detectable: 0.18)"
    assert verdicts[1].endswith("; 2 patients)")
    (sentence,) = found["sentences"]
    assert sentence.startswith(
        "R = 4: s = 200 against 4S, with a region: +2.50 dB"
    )


def test_the_best_slope_against_the_others():
    found = findings(slope_claims.claims_of_slopes(CELLS), _volumes)
    assert _rows(found) == [
        [
            "s = 20 against s = 2000, two rounds, with a region",
            "+0.97 [+0.82, +1.11]",
            "better (detectable: 0.18)",
        ]
    ]
    # The slope of a single fold is no candidate.
    (sentence,) = found["sentences"]
    assert (
        "s = 20 against s = 200, two rounds, with a region: -3.00 dB"
        in sentence
    )


def test_what_a_binary_mask_costs():
    def volumes_of_kind(kind):
        lower = {"relaxed": 0.0, "sampled": 1.0, "threshold": -0.5}.get(kind)

        def volumes(record):
            if lower is None:
                return None
            found = record["volumes"].items()
            return {v: {"psnr": x["psnr"] - lower} for v, x in found}

        return volumes

    (table,) = slope_tables.table_of_masks(CELLS, volumes_of_kind).values()
    header, rows = table
    assert header == ["R", "region", "method", "− sampled", "− threshold"] + [
        "− exact"
    ]
    assert rows[1] == [
        *("4", "0.32/R", "s = 20, two rounds"),
        *("1.00 ± 0.00", "-0.50 ± 0.00", "-"),
    ]


def test_table_of_methods():
    cells = {**CELLS, FOUR_S._replace(method="4s_full"): _records(33.0)}
    (table,) = slope_tables.table_of_methods(cells, _volumes).values()
    header, rows = table
    assert header[:4] == ["R", "region", "method", "PSNR [dB]"]
    assert len(rows) == len(CELLS)
    assert rows[0][:3] == ["4", "none", "s = 20, two rounds"]
    assert rows[4] == [
        *("4", "0.32/R", "4S, two rounds", "31.50 ± 0.78", "", "3", "80"),
        "20 to 60",
    ]
    assert [row[4] for row in rows[:2]] == ["-", "-0.50 ± 0.08"]
    assert rows[1][-1] == "20"
    assert slope_tables.table_of_methods({}, _volumes) == {}


def test_recipes_are_paired_with_4s_full():
    def recipe(method, *psnr, **fields):
        return {FOUR_S._replace(method=method): _records(*psnr, **fields)}

    cells = {
        **recipe("4s", 30.0, 31.1, 40.0),
        **recipe("4s_full", 31.0, 32.0, epochs=400),
        **recipe("4s_quarter", 31.5),
        **recipe("4s_quarter_warm", None, None, 50.0),
        **recipe("4s_cycle", 31.2, 32.22),
        S20: _records(30.9, 31.98),
        S20._replace(protocol="one_round"): _records(30.9),
        FOUR_S._replace(acceleration=8.0): _records(30.0),
    }
    ((caption, (header, rows)),) = slope_tables.tables_of_recipes(
        cells, _volumes
    ).items()
    assert caption.startswith("R = 4, region 0.32/R")
    assert header[0] == "recipe"
    # The third fold of 4s has no partner, nor has the only one of warm.
    assert [row[:5] for row in rows] == [
        ["`4s_quarter`", "1", "31.50", "31.50", "+0.50"],
        ["`4s_cycle`", "2", "31.71", "31.71 ± 0.51", "+0.21 [+0.08, +0.34]"],
        ["`4s_full`", "2", "31.50", "31.50 ± 0.50", ""],
        ["s = 20", "2", "31.44", "31.44 ± 0.54", "-0.06 [-0.57, +0.45]"],
        ["`4s`", "2", "30.55", "30.55 ± 0.55", "-0.95 [-1.59, -0.31]"],
    ]
    verdicts = [row[5] for row in rows]
    assert verdicts == [
        *("", "better", "", "inconclusive", "more than 0.1 dB below"),
    ]
    assert [row[-1] for row in rows] == ["0.20", "0.20", "", "0.20", "0.20"]


def test_seeds_without_patients_have_a_spread():
    cells = {
        FOUR_S._replace(method=method): [
            {**r, "fold": None, "patients": None, "volumes": {"v": {"psnr": x}}}
            for r, x in zip(_records(*psnr), psnr)
        ]
        for method, psnr in {"4s": (30.0, 31.0), "4s_full": (31, 33)}.items()
    }
    (table,) = slope_tables.tables_of_recipes(cells, _volumes).values()
    assert table[1][1][4] == "-1.50 ± 0.50"
