"""`loupe-tf reconstruct` of scans along a trajectory."""

import json
import re

import numpy as np
import pytest

import loupe_tf
from loupe_tf import cli, formats, simulation
from loupe_tf.numpy_fourier import nudft
from loupe_tf.reconstruction import (
    CgSense,
    CompensatedAdjoint,
    CurveTotalVariation,
    Prewhitened,
)
from loupe_tf.trajectories import radial

SIZE = (18, 16)
SPOKES = radial(24, 32, matrix=SIZE, field_of_view=(36, 48))


@pytest.fixture(scope="module")
def samples():
    """Two slices of four coils, as the exact sum gives them."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in SIZE), indexing="ij")
    image = np.exp(-4 * (x**2 + y**2)) * (1 + 0.3j * x)
    maps = simulation.birdcage_maps(SIZE, 4)
    one = nudft(maps * image, SPOKES.positions)
    return np.stack([one, 3 * one]).astype("complex64")


def run(out, *arguments):
    arguments = [str(argument) for argument in arguments]
    return cli.main(["reconstruct", "--out", str(out), *arguments])


def test_formats(tmp_path, samples, write_samples, capsys):
    write_samples(tmp_path / "a.mrd", samples, SPOKES)
    array = samples.transpose(3, 2, 1, 0).reshape(1, 32, 24, 4, *[1] * 9, 2)
    formats.write_cfl(tmp_path / "b.cfl", array)
    SPOKES.save(tmp_path / "spokes.cfl")
    header = tmp_path / "spokes.hdr"  # As BART writes it.
    header.write_text("".join(header.read_text().splitlines(True)[:2]))
    np.save(tmp_path / "c.npy", samples)
    SPOKES.save(tmp_path / "spokes.npz")
    out = tmp_path / "out"
    cg = ["--method", "cg_sense", "--format", "npy", "nii.gz"]
    cg += ["--iterations", "5", "--regularization", "1e-2"]
    expected = loupe_tf.reconstruct(CgSense(1e-2, 5), samples, SPOKES)
    sizes = ["--matrix", *SIZE]
    for name, *extra in (
        ("a.mrd", "own"),
        ("b.cfl", tmp_path / "spokes.cfl", *sizes),
        ("c.npy", tmp_path / "spokes.npz"),
    ):
        folder = out / name
        extra = ["--trajectory", *extra, *cg]
        assert run(folder, tmp_path / name, *extra) == 0
        found = np.load(folder / f"{name[0]}.npy")
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)
        row = capsys.readouterr().out.splitlines()[1].split()
        assert row[:6] == [name, "2", "4", "24", "32", "18×16"]
    from loupe_tf.datasets.building.readers import read_volume

    assert read_volume(out / "a.mrd/a.nii.gz").spacing == (5, 2, 3)
    record = json.loads((out / "a.mrd/records/a.json").read_text())
    assert record["shape"] == [2, 4, 24, 32]


def test_noise_whitens_the_coils(tmp_path, samples, write_samples, rng, capsys):
    noise = (rng.normal(size=(4, 500, 2)) @ [1, 1j]) * [[1], [1], [2], [5]]
    np.save(tmp_path / "noise.npy", noise)
    write_samples(tmp_path / "a.mrd", samples, SPOKES)
    given = ["--trajectory", "own", "--method", "cg_sense", "--format", "npy"]
    given += ["--noise", tmp_path / "noise.npy"]
    assert run(tmp_path / "out", tmp_path / "a.mrd", *given) == 0
    assert "a.mrd: the coils are whitened with 500" in capsys.readouterr().out
    white = Prewhitened(samples, noise)
    expected = loupe_tf.reconstruct(CgSense(), white, SPOKES)
    found = np.load(tmp_path / "out" / "a.npy")
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_total_variation(tmp_path, samples, write_samples):
    pytest.importorskip("sigpy")
    write_samples(tmp_path / "a.mrd", samples[:1], SPOKES)
    maps = simulation.birdcage_maps(SIZE, 4)
    np.save(tmp_path / "maps.npy", maps)
    given = ["--trajectory", "own", "--method", "total_variation"]
    given += ["--maps", tmp_path / "maps.npy", "--format", "npy"]
    for out, others, method in (
        ("default", ["--iterations", 9], CurveTotalVariation(0.005, 9)),
        (
            "tuned",
            ["--iterations", 9, "--regularization", 0.1],
            CurveTotalVariation(0.1, 9),
        ),
    ):
        assert run(tmp_path / out, tmp_path / "a.mrd", *given, *others) == 0
        found = np.load(tmp_path / out / "a.npy")
        expected = method(samples[0], SPOKES, maps)
        np.testing.assert_allclose(found[0], expected, rtol=1e-3, atol=1e-3)


def test_maps_and_going_on(tmp_path, samples, write_samples, capsys):
    path = tmp_path / "a.mrd"
    write_samples(path, samples[:1], SPOKES)
    maps = simulation.birdcage_maps(SIZE, 4)
    np.save(tmp_path / "maps.npy", maps)
    given = ["--trajectory", "own", "--method", "adjoint", "--format", "npy"]
    given += ["--maps", tmp_path / "maps.npy"]
    assert run(tmp_path / "out", path, *given) == 0
    found = np.load(tmp_path / "out/a.npy")
    expected = CompensatedAdjoint()(samples[0], SPOKES, maps)
    np.testing.assert_allclose(found[0], expected, rtol=1e-3, atol=1e-3)
    # The image is there, so the command makes nothing anew.
    (tmp_path / "out/a.npy").write_bytes(b"kept")
    assert run(tmp_path / "out", path, *given) == 0
    assert (tmp_path / "out/a.npy").read_bytes() == b"kept"
    # The folder belongs to one trajectory.
    SPOKES.save(tmp_path / "spokes.npz")
    given[1] = tmp_path / "spokes.npz"
    assert run(tmp_path / "out", path, *given) == 2
    assert "trajectory" in capsys.readouterr().err


def test_scans_and_trajectories_are_not_overwritten(tmp_path, samples, capsys):
    np.save(tmp_path / "scan.npy", samples)
    SPOKES.save(tmp_path / "spokes.npz")
    given = ["--trajectory", tmp_path / "spokes.npz", "--method", "adjoint"]
    assert run(tmp_path, tmp_path / "scan.npy", *given) == 2
    assert "argument --out" in capsys.readouterr().err
    np.testing.assert_array_equal(np.load(tmp_path / "scan.npy"), samples)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--trajectory", "own"], "--model None, --method None"),
        (["--model", "m.keras", "--method", "adjoint"], "--model m.keras"),
        (["--method", "adjoint"], "grappa, for scans with a mask"),
        (
            ["--trajectory", "own", "--method", "grappa"],
            "cg_sense, total_variation, for scans with a trajectory",
        ),
        (["--method", "sense"], "--mask.*the mask of the scan"),
        (["--method", "grappa", "--iterations", "3"], "for --iterations"),
        (["--model", "m.keras", "--matrix", "8", "8"], "for --matrix"),
        (["--model", "m.keras", "--iterations", "8"], "for --iterations"),
        (
            "--trajectory own --method adjoint --iterations 8".split(),
            "cg_sense, for --iterations",
        ),
        (
            ["--trajectory", "own", "--method", "adjoint", "--allow-zeros"],
            "no options of masks.*--allow-zeros",
        ),
    ],
)
def test_options_that_do_not_go_together(tmp_path, capsys, arguments, message):
    assert run(tmp_path / "out", "a.mrd", *arguments) == 2
    assert re.search(message, capsys.readouterr().err)


def test_bad_files(tmp_path, samples, write_samples, capsys):
    write_samples(
        tmp_path / "a.mrd",
        samples[:, :, :3],
        radial(3, 32, matrix=SIZE, field_of_view=SIZE),
    )
    np.save(tmp_path / "b.npy", samples)
    SPOKES.replace(matrix=None).save(tmp_path / "spokes.csv")
    given = ["--method", "adjoint", "--trajectory", tmp_path / "spokes.csv"]
    files = tmp_path / "a.mrd", tmp_path / "b.npy"
    assert run(tmp_path / "out", *files, *given) == 2
    lines = capsys.readouterr().err.splitlines()
    assert any("a.mrd" in x and "24 shots" in x for x in lines)
    assert any("b.npy" in x and "--matrix" in x for x in lines)
