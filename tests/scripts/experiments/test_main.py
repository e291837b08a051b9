import experiments


def test_what_conducting_finds_is_published(monkeypatch):
    calls = {}

    def conduct(settings, todo, build, train, **others):
        calls["conduct"] = settings, todo, build, train, others
        return "folder", {"data": "d"}, [1, 2]

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
        {"facts": {"data": "d"}, "runs": [1, 2], "title": "2 in folder"},
    )


def test_what_cannot_be_is_told(capsys):
    def refuse(*_):
        raise ValueError("no such grid")

    assert experiments.main({}, refuse, None, None, None) == 2
    assert "no such grid" in capsys.readouterr().err
