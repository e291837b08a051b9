import pytest

PAGE = """\
```bash
mkdir -p runs/gallery/a
printf one > runs/gallery/a/one.png; printf two \\
    > runs/gallery/a/two.png
```

![One](gallery/a/one.png)

```text
false
```

```bash
cat runs/gallery/a/one.png > runs/gallery/three.png
```

![Three](gallery/three.png)
"""


@pytest.fixture
def gallery(load_script, tmp_path, monkeypatch):
    script = load_script("make_gallery.py")
    monkeypatch.setattr(script, "ROOT", tmp_path)
    monkeypatch.setattr(script, "PAGE", tmp_path / "docs/gallery.md")
    script.PAGE.parent.mkdir()
    script.PAGE.write_text(PAGE)
    return script


def test_figures_of_the_page_are_copied(gallery, tmp_path):
    assert gallery.main([]) == 0
    assert (tmp_path / "docs/gallery/a/one.png").read_text() == "one"
    assert (tmp_path / "docs/gallery/three.png").read_text() == "one"
    assert not (tmp_path / "docs/gallery/a/two.png").exists()


def test_a_command_that_fails_ends_it(gallery, tmp_path):
    gallery.PAGE.write_text("```bash\nexit 3\n```\n" + PAGE)
    assert gallery.main([]) == 3
    assert not (tmp_path / "docs/gallery").exists()
