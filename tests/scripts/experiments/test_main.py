import experiments
from loupe_tf.run_folder import RunFolder


def test_what_conducting_finds_is_published(monkeypatch):
    calls = {}

    def conduct(settings, todo, build, train, **others):
        calls["conduct"] = settings, todo, build, train, others
        return "folder", {"data": "d"}, [{"seed": 1}, {"seed": 2}]

    def publish(folder, **arguments):
        calls["publish"] = folder, arguments

    monkeypatch.setitem(experiments.main.__globals__, "conduct", conduct)
    monkeypatch.setitem(experiments.main.__globals__, "publish", publish)

    def results(records, folder):
        return {"title": f"{len(records)} in {folder}"}

    settings = {"seeds": [3]}
    code = experiments.main(
        settings, lambda s: s["seeds"], "build", "train", results, free=("a",)
    )
    assert code == 0
    assert calls["conduct"] == (
        *(settings, [3], "build", "train"),
        {"free": ("a",)},
    )
    assert calls["publish"] == (
        "folder",
        {
            "facts": {"data": "d"},
            "runs": [{"seed": 1}, {"seed": 2}],
            "title": "2 in folder",
        },
    )


def test_what_cannot_be_is_told(capsys):
    def refuse(*_):
        raise ValueError("no such grid")

    assert experiments.main({}, refuse, None, None, None) == 2
    assert "no such grid" in capsys.readouterr().err


def test_a_report_needs_neither_data_nor_training(tmp_path, monkeypatch):
    published = []
    monkeypatch.setitem(
        experiments.main.__globals__,
        "publish",
        lambda folder, **arguments: published.append(arguments),
    )

    def results(records, folder):
        return {"convention": "PSNR.", "title": str(len(records))}

    settings = {"out": str(tmp_path), "report": True, "pack": True}
    assert experiments.main(settings, None, None, None, results) == 2
    folder = RunFolder(tmp_path)
    folder.check_settings({"epochs": 3})
    for seed in (0, 1):
        record = {"seed": seed, "fold": 1, "trace": {"loss": [1.0]}}
        folder.write_record(f"runs/{seed}.json", record)
    assert experiments.main(settings, None, None, None, results) == 0
    (found,) = published
    assert found["title"] == "2" and found["facts"]["epochs"] == "3"
    assert found["convention"].endswith("Each fold is as a seed of its own.")
    # Packed: the trace is kept of the first seed.
    records = RunFolder(tmp_path).records()
    assert ["trace" in record for record in records] == [True, False]
    assert not (tmp_path / "runs").exists()
