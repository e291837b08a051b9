import json
import os
import sys
import warnings

import h5py
import numpy as np
import pytest

import loupe_tf
from loupe_tf import (
    cli,
    evaluation,
    formats,
    masks,
    models,
    reconstruction,
    simulation,
)
from loupe_tf.cli.reconstructing import volumes
from loupe_tf.datasets import write_fastmri_volume
from loupe_tf.numpy_fourier import fft2c
from loupe_tf.reconstruction.prewhiten import whiten_maps

SIZE = (16, 14)


@pytest.fixture(scope="module")
def mask():
    return masks.random_lines(SIZE, 2, calibration=4, seed=0)


@pytest.fixture(scope="module")
def files(tmp_path_factory, mask):
    """A model and its mask."""
    folder = tmp_path_factory.mktemp("model")
    model = models.loupe_model((*SIZE, 1), mask=mask, filters=2, depth=1)
    model.save(folder / "model.keras")
    mask.save(folder / "mask.npz")
    return folder


@pytest.fixture
def kspace(rng):
    """Two slices of one coil, fully sampled, with noise."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in SIZE), indexing="ij")
    inside = (y - 0.1) ** 2 + x**2 < 0.5
    images = np.stack([inside * (1 + np.sin(4 * x + i)) for i in range(2)])
    noise = rng.normal(scale=0.01, size=(2, *images.shape))
    return 1e-5 * fft2c(images + noise[0] + 1j * noise[1]).astype("complex64")


def write(path, kspace):
    write_fastmri_volume(
        path, slices=len(kspace), size=SIZE, recon_size=(8, 8), acquired=14
    )
    with h5py.File(path, "a") as file:
        file["kspace"][...] = kspace


def run(files, out, *arguments):
    arguments = [str(argument) for argument in arguments]
    model = ["--model", str(files / "model.keras"), "--out", str(out)]
    return cli.main(["reconstruct", *model, *arguments])


def test_three_formats(files, mask, kspace, tmp_path, write_ismrmrd, capsys):
    scan = np.where(mask.array, kspace, 0)
    write(tmp_path / "a.h5", scan)
    write_ismrmrd(tmp_path / "b.mrd", scan[:, None], mask)
    array = np.moveaxis(scan, 0, -1).reshape(*SIZE, *[1] * 11, 2)
    formats.write_cfl(tmp_path / "c.cfl", array)
    scans = [tmp_path / name for name in ("a.h5", "b.mrd", "c.cfl")]
    out = tmp_path / "out"
    extra = ["--mask", files / "mask.npz", "--format", "npy", "nii.gz", "png"]
    assert run(files, out, *scans, *extra) == 0
    network = reconstruction.Network(files / "model.keras")
    scale = np.abs(reconstruction.adjoint(scan, mask)).max()
    expected = [network(k / scale, mask) * scale for k in scan]
    for name in "abc":
        found = np.load(out / f"{name}.npy")
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-9)
        assert (out / f"{name}.nii.gz").exists()
        assert (out / f"{name}.png").exists()
    # The size of voxels, of the formats that know it.
    from loupe_tf.datasets.building.readers import read_volume

    assert read_volume(out / "a.nii.gz").spacing == (3, 0.4375, 0.4375)
    assert read_volume(out / "b.nii.gz").spacing == (4, 2, 3)
    printed = capsys.readouterr()
    assert "warning" not in printed.err
    rows = [line.split() for line in printed.out.splitlines()[1:4]]
    assert [row[:5] for row in rows] == [
        [path.name, "2", "1", "16×14", "2"] for path in scans
    ]


def test_bad_files_are_named_and_others_come_out(
    files, kspace, tmp_path, capsys
):
    write(tmp_path / "good.h5", kspace)
    write(tmp_path / "short.h5", kspace)
    data = (tmp_path / "short.h5").read_bytes()
    (tmp_path / "short.h5").write_bytes(data[: len(data) // 2])
    np.save(tmp_path / "large.npy", np.ones((32, 32), complex))
    names = ("short.h5", "large.npy", "none.h5", "good.h5")
    scans = [tmp_path / name for name in names]
    out = tmp_path / "out"
    assert run(files, out, *scans) == 2
    printed = capsys.readouterr()
    for name, text in (
        ("short.h5", "truncated"),
        ("large.npy", "to fit the matrix size"),
        ("none.h5", "No such file"),
        ("good.h5", "50.0% of k-space was measured but is not"),
    ):
        lines = [x for x in printed.err.splitlines() if f"{name}: " in x]
        assert any(text in line for line in lines), (name, printed.err)
    assert "3 of 4 files" in printed.err and "good.h5" in printed.out
    images = sorted(path.name for path in out.glob("[!.]*"))
    assert images == ["good.npy", "good.png", "records", "settings.json"]


def test_goes_on_after_a_stop(files, kspace, tmp_path, capsys, monkeypatch):
    scans = [tmp_path / f"{name}.h5" for name in "abc"]
    for path in scans:
        write(path, kspace)
    out = tmp_path / "out"
    original = volumes.reconstruct
    made = []

    def stop_at(number):
        def reconstruct(network, volume, *args, **kwargs):
            if len(made) == number:
                raise KeyboardInterrupt
            made.append(volume.path.stem)
            return original(network, volume, *args, **kwargs)

        monkeypatch.setattr(volumes, "reconstruct", reconstruct)

    stop_at(1)
    assert run(files, out, *scans) == 130
    assert "goes on from here" in capsys.readouterr().err
    # Killed between the images and the record.
    save = formats.save_image
    stop_at(None)
    with monkeypatch.context() as patch:

        def killed(image, path, *args):
            if path.suffix == ".png":
                raise KeyboardInterrupt
            save(image, path, *args)

        patch.setattr(formats, "save_image", killed)
        assert run(files, out, *scans) == 130
    assert made == ["a", "b"]
    assert run(files, out, *scans) == 0
    assert made == ["a", "b", "b", "c"]
    assert run(files, out, *scans) == 0
    assert made == ["a", "b", "b", "c"]
    assert "c.h5" in capsys.readouterr().out
    # A file that has changed, another format, and on request.
    write(scans[0], 2 * kspace)
    assert run(files, out, *scans) == 0
    assert made[4:] == ["a"]
    (out / "b.png").unlink()
    assert run(files, out, *scans) == 0
    assert made[5:] == ["b"]
    assert run(files, out, *scans, "--overwrite") == 0
    assert made[6:] == ["a", "b", "c"]
    # Of other settings the folder holds nothing.
    assert run(files, out, *scans, "--scale", "1") == 2
    assert "--out" in capsys.readouterr().err


@pytest.mark.parametrize("role", ["scan", "mask", "maps"])
def test_nothing_that_is_read_is_overwritten(
    files, mask, kspace, tmp_path, capsys, role
):
    np.save(tmp_path / "scan.npy", kspace[:1])
    np.save(tmp_path / "maps.npy", np.ones((1, *SIZE), complex))
    np.save(tmp_path / "mask.npy", mask.array)
    before = {f: f.read_bytes() for f in tmp_path.glob("*.npy")}
    (tmp_path / "link").symlink_to(tmp_path)
    scan = tmp_path / "scan.npy"
    if role != "scan":
        # Elsewhere, with the name of the other file.
        (tmp_path / "scans").mkdir()
        scan = tmp_path / "scans" / f"{role}.npy"
        np.save(scan, kspace[:1])
    arguments = [scan, "--undersample", "--leading", "slices", "--as-is"]
    arguments += ["--mask", tmp_path / "mask.npy"]
    arguments += ["--maps", tmp_path / "maps.npy"]
    for out in (tmp_path, tmp_path / "link"):
        assert run(files, out, *arguments) == 2
        error = capsys.readouterr().err
        assert "argument --out" in error and f"{role}.npy" in error
    assert {f: f.read_bytes() for f in tmp_path.glob("*.npy")} == before
    # Images in other formats may lie beside.
    assert run(files, tmp_path, *arguments, "--format", "png") == 0
    assert {f: f.read_bytes() for f in tmp_path.glob("*.npy")} == before


def test_scans_of_one_name_do_not_replace_each_other(
    files, kspace, tmp_path, capsys
):
    scans = [tmp_path / patient / "scan.npy" for patient in ("p1", "p2")]
    for i, path in enumerate(scans, 1):
        path.parent.mkdir()
        np.save(path, i * kspace)
    out = tmp_path / "out"
    others = ["--undersample", "--leading", "slices"]
    assert run(files, out, scans[0], *others) == 0
    first = np.load(out / "scan.npy")
    assert run(files, out, scans[1], *others) == 2
    error = capsys.readouterr().err
    assert "argument --out" in error and "--overwrite" in error
    assert all(str(path) in error for path in scans)
    np.testing.assert_array_equal(np.load(out / "scan.npy"), first)
    # Nor where the times and sizes of the files are equal.
    stat = scans[0].stat()
    os.utime(scans[1], ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert run(files, out, scans[1], *others) == 2
    # On request they do, and so does a file that has changed.
    assert run(files, out, scans[1], *others, "--overwrite") == 0
    np.testing.assert_allclose(np.load(out / "scan.npy"), 2 * first, rtol=1e-4)
    np.save(scans[1], 3 * kspace[:1])
    assert run(files, out, scans[1], *others) == 0
    assert len(np.load(out / "scan.npy")) == 1
    # A file that was moved is the same one.
    moved = scans[1].rename(tmp_path / "scan.npy")
    assert run(files, out, moved, *others) == 0
    (tmp_path / "link").symlink_to(tmp_path)
    assert run(files, out, tmp_path / "link" / "scan.npy", *others) == 0
    # Folders of older versions know no path, but the name.
    record = json.loads((out / "records/scan.json").read_text())
    del record["path"]
    (out / "records/scan.json").write_text(json.dumps(record))
    assert run(files, out, scans[0], *others) == 0
    write(tmp_path / "scan.h5", kspace)
    assert run(files, out, tmp_path / "scan.h5", *others) == 2
    assert "scan.npy" in capsys.readouterr().err


def test_undersample(files, mask, kspace, tmp_path, capsys):
    np.save(tmp_path / "full.npy", kspace)
    out = tmp_path / "out"
    arguments = ["--undersample", "--leading", "slices"]
    assert run(files, out, tmp_path / "full.npy", *arguments) == 0
    printed = capsys.readouterr()
    assert "warning" not in printed.err
    record = json.loads((out / "records" / "full.json").read_text())
    truth = np.abs(reconstruction.adjoint(kspace, np.ones(SIZE)))
    for name, found in (
        ("model", np.load(out / "full.npy")),
        ("zero-filled", np.abs(reconstruction.adjoint(kspace, mask))),
    ):
        nmse = np.sum((truth - abs(found)) ** 2) / np.sum(truth**2)
        assert record[name]["nmse"] == pytest.approx(nmse, rel=1e-4)
        assert f"{nmse:.4f}" in printed.out


def test_masks_are_compared_on_one_scan(files, kspace, tmp_path, capsys):
    """In one table, with the images of each mask in a folder of its own."""
    scans = [tmp_path / "full.npy", tmp_path / "other.npy"]
    np.save(scans[0], kspace)
    np.save(scans[1], kspace[:1])
    pair = [
        masks.random_lines(SIZE, 2, calibration=4, seed=1),
        masks.central_lines(SIZE, 4),
    ]
    paths = [tmp_path / "run" / "mask.npz", tmp_path / "central.npz"]
    paths[0].parent.mkdir()
    for mask, path in zip(pair, paths, strict=True):
        mask.save(path)
    words = [*scans, "--leading", "slices", "--method", "zero_filled"]
    words += ["--out", tmp_path / "out", "--undersample"]
    both = [*words, "--mask", paths[0], "--mask", paths[1]]
    assert cli.main(["reconstruct", *map(str, both)]) == 0
    printed = capsys.readouterr().out
    truth = np.abs(reconstruction.adjoint(kspace, np.ones(SIZE)))
    rows = [line.split() for line in printed.splitlines()[1:5]]
    assert [row[:2] for row in rows] == [
        [scan.name, path.name] for scan in scans for path in paths
    ]
    for row, mask, name in zip(rows, pair, ("mask", "central")):
        found = np.load(tmp_path / "out" / name / "full.npy")
        expected = reconstruction.adjoint(kspace, mask)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-9)
        nmse = np.sum((truth - abs(expected)) ** 2) / np.sum(truth**2)
        assert f"{nmse:.4f}" in row
    assert f"{tmp_path / 'out' / 'mask'}, " in printed
    # Masks of one name get numbers.
    masks.central_lines(SIZE, 2).save(tmp_path / "mask.npz")
    both[-1] = tmp_path / "mask.npz"
    assert cli.main(["reconstruct", *map(str, both)]) == 0
    assert (tmp_path / "out" / "2_mask" / "full.npy").exists()
    assert str(tmp_path / "mask.npz") in capsys.readouterr().out
    # A scan was made with one mask.
    both.remove("--undersample")
    assert cli.main(["reconstruct", *map(str, both)]) == 2
    assert "--mask. Expected the one mask" in capsys.readouterr().err
    twice = [*words, "--mask", paths[0], "--mask", paths[0]]
    assert cli.main(["reconstruct", *map(str, twice)]) == 2
    assert "each mask once" in capsys.readouterr().err


@pytest.mark.parametrize(
    "method, reconstructor",
    [
        ("zero_filled", reconstruction.ZeroFilled()),
        ("sense", reconstruction.Sense(0.02, iterations=5)),
    ],
)
def test_methods_need_no_model(
    files, mask, kspace, tmp_path, write_ismrmrd, capsys, method, reconstructor
):
    """An ISMRMRD scan is its own mask."""
    scan = np.where(mask.array, kspace, 0)
    write_ismrmrd(tmp_path / "a.mrd", scan[:, None], mask)
    arguments = ["--mask", tmp_path / "a.mrd", "--method", method]
    if method == "sense":
        arguments += ["--regularization", 0.02, "--iterations", 5]
    arguments = map(str, [tmp_path / "a.mrd", *arguments])
    out = tmp_path / "out"
    assert cli.main(["reconstruct", *arguments, "--out", str(out)]) == 0
    expected = [reconstructor(each, mask) for each in scan]
    scale = np.abs(expected).max()
    np.testing.assert_allclose(
        np.load(out / "a.npy"), expected, atol=1e-5 * scale
    )
    assert "a.mrd" in capsys.readouterr().out


class Halved(reconstruction.ZeroFilled):
    def reconstruct(self, kspace, mask, maps):
        return super().reconstruct(kspace, mask, maps) / 2


def test_a_new_method_is_added_in_one_place(
    mask, kspace, tmp_path, capsys, monkeypatch
):
    monkeypatch.setitem(evaluation.CLASSICAL, "halved", Halved())
    scan = np.where(mask.array, kspace, 0)
    np.save(tmp_path / "scan.npy", scan)
    mask.save(tmp_path / "mask.npz")
    words = [
        *("reconstruct", str(tmp_path / "scan.npy"), "--leading", "slices"),
        *("--mask", str(tmp_path / "mask.npz"), "--method", "halved"),
        *("--out", str(tmp_path / "out")),
    ]
    assert cli.main(words) == 0
    expected = reconstruction.adjoint(scan, mask) / 2
    np.testing.assert_allclose(
        np.load(tmp_path / "out" / "scan.npy"),
        expected,
        atol=1e-5 * np.abs(expected).max(),
    )
    # It has no such option, which is said before anything is read.
    assert cli.main([*words, "--iterations", "3"]) == 2
    assert "argument --method" in capsys.readouterr().err


def test_the_help_has_the_defaults_of_methods(capsys):
    with pytest.raises(SystemExit):
        cli.main(["reconstruct", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "wavelet_l1 100, total_variation 200, sense 30, cg_sense 20" in text
    assert "total_variation 0.005, sense 0.01, grappa 0.01, cg_sense 0" in text


def test_what_a_method_lacks_is_said_before_anything_is_read(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.setitem(sys.modules, "sigpy.mri", None)
    nowhere = [str(tmp_path / "scan.h5"), "--method", "sense"]
    assert cli.main(["reconstruct", *nowhere, "--out", str(tmp_path)]) == 2
    assert "require sigpy and PyWavelets" in capsys.readouterr().err


def test_zero_filling_is_compared_with_itself_by_one_row_of_figures(
    files, kspace, tmp_path, capsys
):
    np.save(tmp_path / "full.npy", kspace)
    words = [tmp_path / "full.npy", "--mask", files / "mask.npz"]
    words += ["--method", "zero_filled", "--undersample"]
    words += ["--leading", "slices", "--out", tmp_path / "out"]
    assert cli.main(["reconstruct", *map(str, words)]) == 0
    printed = capsys.readouterr().out
    assert printed.count("NMSE") == 1 and "zero_filled: NMSE" in printed


def test_lines_made_for_another_readout(
    mask, kspace, tmp_path, capsys, monkeypatch
):
    longer = mask.replace(matrix=(32, 14), field_of_view=(64, 28))
    longer.save(tmp_path / "longer.npz")
    np.save(tmp_path / "scan.npy", kspace)
    monkeypatch.chdir(tmp_path)
    words = "scan.npy --leading slices --undersample --method zero_filled"
    words += " --mask longer.npz --format nii.gz --out out"
    assert cli.main(["reconstruct", *words.split()]) == 0
    lines = capsys.readouterr().err.splitlines()
    (line,) = [text for text in lines if "warning" in text]
    assert "The mask is for a matrix of 32×14, but k-space has 16×14" in line
    # The field of view along the read-out is not known any more.
    from loupe_tf.datasets.building.readers import read_volume

    spacing = read_volume(tmp_path / "out/scan.nii.gz").spacing
    assert spacing == (1, 1, 1)


def test_columns_of_zeros_may_be_allowed(files, mask, kspace, tmp_path, capsys):
    last = np.flatnonzero(mask.array)[-1]
    kspace[..., last] = 0
    np.save(tmp_path / "padded.npy", kspace)
    arguments = [
        tmp_path / "padded.npy",
        "--undersample",
        "--leading",
        "slices",
    ]
    out = tmp_path / "out"
    assert run(files, out, *arguments) == 2
    assert "--allow-zeros" in capsys.readouterr().err
    # The folder of a call that failed takes the corrected one.
    assert run(files, out, *arguments, "--allow-zeros") == 0
    assert (
        f"columns of the mask, up to 100% of one: {last}"
        in capsys.readouterr().err
    )


def test_only_our_warnings_are_shown(
    files, kspace, tmp_path, capsys, monkeypatch
):
    np.save(tmp_path / "full.npy", kspace)
    real = volumes.rebuild

    def warning(*arguments):
        warnings.warn("of a package", DeprecationWarning, stacklevel=1)
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("forced", DeprecationWarning, stacklevel=1)
        return real(*arguments)

    monkeypatch.setattr(volumes, "rebuild", warning)
    arguments = ["--undersample", "--leading", "slices"]
    out = tmp_path / "out"
    assert run(files, out, tmp_path / "full.npy", *arguments) == 0
    assert "warning" not in capsys.readouterr().err


def test_coils_with_maps(files, mask, kspace, tmp_path, capsys):
    maps = np.stack([np.full(SIZE, 0.6), np.full(SIZE, 0.8j)])
    scan = np.where(mask.array, maps * kspace[:, None], 0)
    array = scan.transpose(2, 3, 1, 0).reshape(*SIZE, 1, 2, *[1] * 9, 2)
    formats.write_cfl(tmp_path / "coils.cfl", array)
    path = tmp_path / "coils.cfl"
    assert run(files, tmp_path / "none", path) == 2
    assert "argument --maps" in capsys.readouterr().err
    np.save(tmp_path / "maps.npy", maps)
    formats.write_cfl(
        tmp_path / "maps", maps.transpose(1, 2, 0)[:, :, None].astype("c8")
    )
    adjoint = [reconstruction.adjoint(k, mask, maps) for k in scan]
    scale = np.abs(adjoint).max()
    network = reconstruction.Network(files / "model.keras")
    expected = [network(k / scale, mask, maps) * scale for k in scan]
    for name in ("maps.npy", "maps.cfl"):
        out = tmp_path / f"out_{name}"
        assert run(files, out, path, "--maps", tmp_path / name) == 0
        found = np.load(out / "coils.npy")
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-9)


SQUARE = (24, 22)


@pytest.fixture
def noisy_scan(rng, tmp_path, write_ismrmrd):
    """A scan of three coils, the third with much noise, and noise beside it.

    Returns a pair: k-space `(1, coils, H, W)`, and the noise `(coils, n)` that
    is in `scan.mrd` and in `noise.npy`. `full.npz` has a mask of all samples.
    """
    ismrmrd = pytest.importorskip("ismrmrd")
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in SQUARE), indexing="ij")
    image = (y**2 + x**2 < 0.6) * (1 + 0.3 * np.sin(4 * x))
    maps = simulation.birdcage_maps(SQUARE, 3)
    deviation = np.array([0.01, 0.01, 0.2])[:, None]
    noise = deviation * (rng.normal(size=(2, 3, 24 * 22, 2)) @ [1, 1j])
    kspace = fft2c(maps * image) + noise[0].reshape(3, *SQUARE)

    def change(acquisition):
        """The second repetition is noise."""
        if acquisition.idx.repetition:
            acquisition.idx.repetition = 0
            acquisition.setFlag(ismrmrd.ACQ_IS_NOISE_MEASUREMENT)
            lines = noise[1].reshape(3, *SQUARE)
            line = acquisition.idx.kspace_encode_step_1
            acquisition.data[:] = lines[:, :, line]

    kspace = kspace[None].astype("complex64")
    write_ismrmrd(tmp_path / "scan.mrd", kspace, change=change, repetitions=2)
    np.save(tmp_path / "noise.npy", noise[1])
    masks.SamplingMask(np.ones(SQUARE, bool)).save(tmp_path / "full.npz")
    return kspace, noise[1]


def test_noise_whitens_the_coils(noisy_scan, tmp_path, capsys):
    kspace, noise = noisy_scan
    method = ["--method", "zero_filled", "--mask", str(tmp_path / "full.npz")]

    def rebuild(out, *others):
        words = "reconstruct", tmp_path / "scan.mrd", *method, *others
        words = [*words, "--maps", "espirit", "--out", tmp_path / out]
        code = cli.main([str(word) for word in words])
        return code, capsys.readouterr()

    # Without the option, what the file offers is said.
    code, printed = rebuild("plain")
    assert code == 0 and "22 noise acquisitions are not used" in printed.err
    assert "--noise own" in printed.err and "whitened" not in printed.out
    white = reconstruction.Prewhitened(kspace, noise)
    mask = masks.SamplingMask(np.ones(SQUARE, bool))
    expected = loupe_tf.reconstruct(
        reconstruction.ZeroFilled(), white, mask, "espirit"
    )
    for out, given in (("own", "own"), ("file", tmp_path / "noise.npy")):
        code, printed = rebuild(out, "--noise", given)
        assert code == 0 and printed.err.count("warning") == 0
        assert "scan.mrd: the coils are whitened with 528 noise" in printed.out
        found = np.load(tmp_path / out / "scan.npy")
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)
    plain = np.load(tmp_path / "plain" / "scan.npy")
    background = np.s_[:, 0]
    ratio = [abs(x[background]).mean() / abs(x).max() for x in (plain, found)]
    assert ratio[1] < 0.5 * ratio[0]
    # A folder belongs to one set of options.
    assert rebuild("plain", "--noise", "own")[0] == 2
    # Noise of another scanner.
    np.save(tmp_path / "other.npy", noise[:2])
    code, printed = rebuild("other", "--noise", tmp_path / "other.npy")
    assert code == 2 and "argument --noise" in printed.err
    assert "noise of 2 coils" in printed.err


def test_noise_whitens_maps_of_a_file(noisy_scan, tmp_path):
    kspace, noise = noisy_scan
    maps = simulation.birdcage_maps(SQUARE, 3)
    np.save(tmp_path / "maps.npy", maps)
    np.save(tmp_path / "scan.npy", kspace)
    words = ["reconstruct", tmp_path / "scan.npy", "--method", "zero_filled"]
    words += ["--mask", tmp_path / "full.npz", "--maps", tmp_path / "maps.npy"]
    words += ["--noise", tmp_path / "noise.npy", "--out", tmp_path / "out"]
    words += ["--undersample"]
    assert cli.main([str(word) for word in words]) == 0
    white = reconstruction.Prewhitened(kspace, noise)
    own = whiten_maps(white.matrix, maps)
    mask = np.ones(SQUARE, bool)
    expected = reconstruction.adjoint(white[0], mask, own)
    found = np.load(tmp_path / "out" / "scan.npy")[0]
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)
    record = json.loads((tmp_path / "out/records/scan.json").read_text())
    assert record["zero_filled"]["nmse"] < 1e-9


def test_own_noise_is_that_of_ismrmrd(noisy_scan, tmp_path, capsys):
    np.save(tmp_path / "scan.npy", noisy_scan[0])
    words = ["reconstruct", tmp_path / "scan.npy", "--method", "zero_filled"]
    words += ["--mask", tmp_path / "full.npz", "--maps", "espirit"]
    words += ["--noise", "own", "--out", tmp_path / "out"]
    assert cli.main([str(word) for word in words]) == 2
    assert "--noise. Expected a file of noise" in capsys.readouterr().err


def test_options_of_espirit(noisy_scan, tmp_path, monkeypatch, capsys):
    np.save(tmp_path / "scan.npy", noisy_scan[0])
    asked = []
    module = sys.modules["loupe_tf.reconstruction.reconstruct"]
    estimate = module.espirit_maps

    def spy(samples, mask, **options):
        asked.append(options)
        return estimate(samples, mask, **options)

    monkeypatch.setattr(module, "espirit_maps", spy)
    words = ["reconstruct", tmp_path / "scan.npy", "--method", "zero_filled"]
    words += ["--mask", tmp_path / "full.npz"]
    words = [str(word) for word in words]
    for number, others, options in (
        (0, "", {}),
        (1, "--espirit-threshold 0.1", {"threshold": 0.1}),
        (2, "--espirit-crop 0", {"crop": 0}),
    ):
        out = ["--maps", "espirit", "--out", str(tmp_path / str(number))]
        assert cli.main([*words, *out, *others.split()]) == 0
        assert asked.pop() == options
    # The folder of other options, and of a version that had none.
    out[-1] = str(tmp_path / "1")
    assert cli.main([*words, *out]) == 2
    settings = tmp_path / "0/settings.json"
    saved = json.loads(settings.read_text())
    for name in ("noise", "espirit_threshold", "espirit_crop"):
        assert saved.pop(name) is None
    settings.write_text(json.dumps(saved))
    out[-1] = str(tmp_path / "0")
    assert cli.main([*words, *out]) == 0
    assert cli.main([*words, *out, "--espirit-crop", "0"]) == 2
    capsys.readouterr()
    assert cli.main([*words, "--espirit-crop", "0.5"]) == 2
    assert "none without --maps espirit" in capsys.readouterr().err
    assert cli.main([*words, *out, "--espirit-threshold", "2"]) == 2
    assert "--espirit-threshold" in capsys.readouterr().err


def test_both_files_of_bart_count(files, mask, kspace, tmp_path, capsys):
    """The data of a pair, also where its header is given."""
    scan, maps = tmp_path / "scan.hdr", tmp_path / "maps.hdr"
    formats.write_cfl(scan, kspace[0])
    formats.write_cfl(maps, np.ones((*SIZE, 1, 1)))
    out = tmp_path / "out"
    others = ["--undersample", "--maps", maps]
    assert run(files, out, scan, *others) == 0
    first = np.load(out / "scan.npy")
    stat = scan.stat()
    formats.write_cfl(scan, kspace[1])
    os.utime(scan, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert run(files, out, scan, *others) == 0
    second = np.load(out / "scan.npy")
    assert np.abs(second - first).max() > 0.1 * np.abs(first).max()
    # The pair is the same by either name.
    (out / "scan.png").write_bytes(b"kept")
    assert run(files, out, scan.with_suffix(".cfl"), *others) == 0
    assert (out / "scan.png").read_bytes() == b"kept"
    formats.write_cfl(maps, np.full((*SIZE, 1, 1), 1j))
    capsys.readouterr()
    assert run(files, out, scan, *others) == 2
    assert "maps=<" in capsys.readouterr().err


def test_mask_with_dc_in_a_corner(files, mask, kspace, tmp_path):
    np.save(tmp_path / "mask.npy", np.fft.ifftshift(mask.array))
    np.save(tmp_path / "scan.npy", np.where(mask.array, kspace[0], 0))
    arguments = [tmp_path / "scan.npy", "--mask", tmp_path / "mask.npy"]
    assert run(files, tmp_path / "a", *arguments) == 2
    assert not (tmp_path / "a").exists()
    assert run(files, tmp_path / "b", *arguments, "--shift") == 0


def test_selects_a_contrast(files, kspace, tmp_path, write_ismrmrd, capsys):
    write_ismrmrd(tmp_path / "scan.mrd", kspace[:, None], repetitions=2)
    images = {}
    for number in (0, 1):
        out = tmp_path / str(number)
        select = ["--select", f"repetition={number}"]
        assert run(files, out, *select, "--", tmp_path / "scan.mrd") == 0
        images[number] = np.load(out / "scan.npy")
    np.testing.assert_allclose(images[1], 2 * images[0], rtol=1e-4)


@pytest.mark.parametrize(
    "arguments",
    [
        ["a.h5", "b/a.mrd"],
        ["a.h5", "--select", "contrast"],
        ["a.h5", "--select", "echo=1"],
        ["a.h5", "--format", "jpg"],
        ["a.h5", "--shift", "--as-is"],
        [],
    ],
)
def test_refuses(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        words = ["reconstruct", "--model", "model.keras", *arguments]
        raise SystemExit(cli.main(words))
    assert stop.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_names_a_bad_model(tmp_path, capsys):
    (tmp_path / "model.keras").write_bytes(b"nothing")
    out = tmp_path / "out"
    assert run(tmp_path, out, "scan.h5") == 2
    assert "model.keras" in capsys.readouterr().err
    assert not out.exists()
