"""Write the page of results."""

from loupe_tf import report


def publish(
    folder,
    title,
    facts,
    convention,
    table,
    figures,
    sentences,
    runs,
    tables=None,
):
    """Write `report.html`, `results.json` and the figures, and print a table.

    Args:
        folder: `RunFolder`.
        title: String.
        facts: Dict of texts by name, how the results were obtained.
        convention: String, an explanation of the numbers in the table.
        table: A tuple `(header, rows)` of lists of texts.
        figures: Dict by file name of tuples `(figure, caption)`; tuples whose
            figure is `None` are skipped.
        sentences: List of strings, the conclusions from the table.
        runs: List of records.
        tables: (Optional) dict of further tables by caption, printed in
            Markdown.
    """
    tables = (tables or {}).items()
    facts = {**facts, "convention": convention}
    figures = {k: v for k, v in figures.items() if v[0] is not None}
    for name, (figure, _) in figures.items():
        report.save_figure(figure, folder / f"{name}.png")
    folder.write_json(
        "results.json",
        {"facts": facts, "verdicts": sentences, "runs": runs},
        indent=1,
    )
    report.write_report(
        folder / "report.html",
        title,
        {
            "": [
                *sentences,
                report.table(*table, convention),
                *(report.table(*other, caption) for caption, other in tables),
            ],
            "Figures": [report.figure(f, text) for f, text in figures.values()],
            "How it was obtained": [report.facts(facts)],
        },
    )
    print(report.text_table(*table))
    for caption, other in tables:
        print(f"\n{caption}\n\n{report.markdown_table(*other)}")
    print("\n" + "\n".join([convention, *sentences]))
    print(f"See {folder / 'report.html'}")
