import keras
import numpy as np
import pytest

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="chooses its own backend"
)
SMALL = "--size 16 --filters 2 --chains 2 --evaluations 35 --repeats 2"


@pytest.mark.slow
def test_small_run(load_script, capsys):
    """Without what is not installed; deepinv is not among the extras."""
    script = load_script("benchmarks/posterior_samples.py")
    names = ["tensorflow langevin", "tensorflow hmc"]
    assert script.main([*SMALL.split(), "--samplers", *names]) == 0
    rows = capsys.readouterr().out.splitlines()[-2:]
    assert [row.split()[2] for row in rows] == ["35", "35"]
    assert rows[0].endswith("1.00") and float(rows[1].split()[-1]) > 0


@pytest.mark.slow
def test_evaluations_are_counted(load_script, monkeypatch):
    """As many as are reported, and those of the flow to 0."""
    script = load_script("benchmarks/posterior_samples.py")
    calls = []
    make = script.score_network

    def counting(*arguments):
        score, images = make(*arguments)

        def counted(inputs):
            calls.append(inputs)
            return score(inputs)

        return counted, images

    monkeypatch.setattr(script, "score_network", counting)
    # Not compiled, so that each evaluation is a call.
    monkeypatch.setattr(
        "loupe_tf.posterior.chains.compiled", lambda function: function
    )
    for method in "langevin", "hmc":
        calls.clear()
        draw, count = script.ours(method, 16, 2, 2, 35)
        assert np.isfinite(draw()).all()
        assert 1 <= len(calls) - count <= 3


def test_too_few_evaluations_are_refused(load_script, capsys):
    script = load_script("benchmarks/posterior_samples.py")
    with pytest.raises(SystemExit):
        script.main(["--evaluations", "34"])
    assert "35 or more" in capsys.readouterr().err
