import json

import matplotlib.figure

from loupe_tf.publishing import publish
from loupe_tf.run_folder import RunFolder


def test_publish(tmp_path, capsys):
    folder = RunFolder(tmp_path)
    figures = {
        "one": (matplotlib.figure.Figure(), "A caption."),
        "none": (None, "Not to be drawn."),
    }
    publish(
        folder,
        "A title",
        {"data": "files"},
        "PSNR of something.",
        (["R", "PSNR"], [["4", "30.0"]]),
        figures,
        ["It holds."],
        [{"name": "a"}],
        tables={"Another table.": (["SSIM"], [["0.9876"]])},
    )
    assert [path.name for path in tmp_path.glob("*.png")] == ["one.png"]
    page = (tmp_path / "report.html").read_text()
    others = ("Another table.", "0.9876")
    for text in (
        "A title",
        "A caption.",
        "It holds.",
        "30.0",
        "files",
        *others,
    ):
        assert text in page
    assert "Not to be drawn" not in page
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["runs"] == [{"name": "a"}]
    assert results["facts"]["convention"] == "PSNR of something."
    printed = capsys.readouterr().out
    for text in ("30.0", "It holds.", *others):
        assert text in printed
