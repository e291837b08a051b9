import re

import pytest


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("results_table.py")


@pytest.fixture(scope="module")
def table(script):
    """The whole table, of the records of all pages."""
    return script.table()


def test_the_page_has_the_tables_of_the_records(script, table):
    """`make results` changes nothing: no figure was edited by hand."""
    text = script.PAGE.read_text("utf-8")
    kept = text.partition(script.BEGIN)[2].partition(script.END)[0]
    assert kept.strip() == table.strip()
    for link in ("4s.md", "xpdnet.md", "drop_rates.md"):
        assert f"]({link})" in kept and (script.RESULTS / link).exists()


def test_every_claim_has_one_table_and_every_table_fits_a_phone(script, table):
    parts = table.split("\n\n")
    fold = '<details markdown="1">\n<summary>Claim: '
    claims = [part for part in parts if part.startswith(fold)]
    tables = [part for part in parts if part.startswith("| ")]
    pairs = {(entry.system, entry.claim) for entry in script.ENTRIES}
    assert len(claims) == len(tables) == len(pairs)
    # What was found can be read while the folds are closed.
    found = r".+\. Found: .+ comparisons?(, .+ in \d+)*\.</summary>"
    assert all(re.fullmatch(fold + found, claim) for claim in claims)
    assert parts.count("</details>") == len(claims)
    headings = [part for part in parts if part.startswith("#")]
    assert len(headings) == len(set(headings))
    rows = [row for table in tables for row in table.splitlines()]
    assert len(rows) == len(script.ENTRIES) + 2 * len(tables)
    # No cell is blank: a row can be read without those above it.
    assert all(row.count("|") == 5 and "|  |" not in row for row in rows)
    assert all(" against " in entry.pair for entry in script.ENTRIES)


def entry(script, comparison):
    system = script.System("a", "a.md", "c", "e")
    return script.Entry(system, "b", "d", comparison, "A against B", "R = 4")


def test_a_figure_comes_with_its_verdict(script):
    named = {
        "4: A − B, one": ("+1.00 [+0.50, +1.50]", "better (detectable: 0.3)"),
        "4: A − B, one more": ("-1.00", "worse"),
    }
    row = script.row_of(entry(script, "4: A − B, one"), named)
    assert row[:2] == ["A against B", "R = 4"]
    assert row[2:] == ["+1.00 [+0.50, +1.50]", "better"]
    # How little would have shown matters where nothing has.
    unsure = "inconclusive (detectable: 0.3)"
    named["4: A − C"] = "+0.10 [-0.20, +0.40]", unsure
    assert script.row_of(entry(script, "4: A − C"), named)[3] == unsure
    sentence = "x: A against B: NMSE -0.01, PSNR +1.45 dB on one test volume."
    row = script.row_of(entry(script, "x: A"), {sentence: (sentence, "")})
    assert row[2:] == ["+1.45", "a hint: one test volume"]
    sentence = "x: A against C: +1.45 ± 0.20 dB over 2 pairs of seed."
    row = script.row_of(
        entry(script, "x: A against C"), {sentence: (sentence, "")}
    )
    assert row[2:] == ["+1.45", "several volumes, no interval"]
    # Nothing that the figure does not show is a gain.
    same = {"4: A − B": ("+0.00 [+0.00, +0.00]", "better (detectable: 0.00)")}
    row = script.row_of(entry(script, "4: A − B"), same)
    assert row[3] == "the same, to 0.01 dB"


@pytest.mark.parametrize(
    "verdicts, sentence",
    [
        (["worse"], "Found: worse, in one comparison."),
        (["better"] * 2, "Found: better in both comparisons."),
        (["worse"] * 3, "Found: worse in all 3 comparisons."),
        (
            ["better", "inconclusive (detectable: 0.36)", "better", "worse"],
            "Found: better in 2 of 4 comparisons, inconclusive in 1, worse in "
            "1.",
        ),
        (
            ["a hint: one test volume"] * 4,
            "Found: a hint in all 4 comparisons.",
        ),
    ],
)
def test_a_claim_says_how_often_each_verdict_was_found(
    script, verdicts, sentence
):
    assert script.tally([["", "", "", verdict] for verdict in verdicts]) == (
        sentence
    )


def test_minus_signs_are_set_and_hyphens_stay(script):
    text = "| in-out, T1-weighted, -log(1 - P) | -0.15 [-0.39, +0.09] | --- |"
    assert script.typeset(text) == (
        "| in-out, T1-weighted, −log(1 − P) | −0.15 [−0.39, +0.09] | --- |"
    )


@pytest.mark.parametrize("comparison, number", [("4: A", 2), ("8: A", 0)])
def test_one_comparison_is_meant(script, comparison, number):
    named = {"4: A − B": ("+1.00", "better"), "4: A − C": ("-1.00", "worse")}
    with pytest.raises(ValueError, match=f"which is {number} of them"):
        script.row_of(entry(script, comparison), named)


def test_only_the_table_is_replaced(script, tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{script.BEGIN}\nold\n{script.END}\nafter\n")
    monkeypatch.setattr(script, "table", lambda: "new")
    script.write(page)
    assert page.read_text() == (
        f"before\n{script.BEGIN}\n\nnew\n\n{script.END}\nafter\n"
    )
