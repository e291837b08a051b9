import builtins

import numpy as np
import pytest

from loupe_tf.formats import save_image


@pytest.fixture
def volume(rng):
    pair = rng.normal(size=(2, 5, 6, 8))
    return (pair[0] + 1j * pair[1]).astype(np.complex64)


def test_npy_is_the_array(volume, tmp_path):
    save_image(volume, tmp_path / "a.npy")
    found = np.load(tmp_path / "a.npy")
    assert found.dtype == np.complex64
    np.testing.assert_array_equal(found, volume)
    # Suffixes count in any case, and stay as they are.
    save_image(volume, tmp_path / "B.NPY")
    np.testing.assert_array_equal(np.load(tmp_path / "B.NPY"), volume)


@pytest.mark.parametrize("suffix", ["nii", "nii.gz"])
def test_nifti(volume, tmp_path, suffix):
    nibabel = pytest.importorskip("nibabel")
    from loupe_tf.datasets.building.readers import read_volume

    path = tmp_path / f"a.{suffix}"
    save_image(volume, path, (12, 24), 5)
    image = nibabel.load(path)
    assert image.shape == (6, 8, 5)
    np.testing.assert_array_equal(image.header.get_zooms(), (2, 3, 5))
    assert image.header.get_xyzt_units()[0] == "mm"
    # The file does not claim to know how the patient lay.
    assert image.header["sform_code"] == image.header["qform_code"] == 0
    found = read_volume(path)
    np.testing.assert_array_equal(found.images, np.abs(volume))
    assert found.spacing == (5, 2, 3)

    save_image(volume[0], path)
    image = nibabel.load(path)
    assert image.shape == (6, 8, 1)
    np.testing.assert_array_equal(image.header.get_zooms(), (1, 1, 1))


def test_png(tmp_path):
    import PIL.Image

    image = np.linspace(0, 2, 200).reshape(10, 20)
    save_image(image, tmp_path / "a.png")
    pixels = PIL.Image.open(tmp_path / "a.png")
    assert pixels.mode == "L" and pixels.size == (20, 10)
    white = np.percentile(image, 99.5)
    expected = np.round(np.minimum(image / white, 1) * 255)
    np.testing.assert_array_equal(np.asarray(pixels), expected)
    save_image(-image, tmp_path / "a.png", window=(1, 2))
    pixels = np.asarray(PIL.Image.open(tmp_path / "a.png"))
    assert pixels[image <= 1].max() == 0 and pixels[-1, -1] == 255
    assert pixels[7, 10] == round((image[7, 10] - 1) * 255)


def test_png_of_a_volume(tmp_path):
    import PIL.Image

    volume = np.ones((5, 2, 3)) * np.arange(1, 6)[:, None, None]
    save_image(volume, tmp_path / "a.png", window=(0, 255))
    pixels = np.asarray(PIL.Image.open(tmp_path / "a.png"))
    assert pixels[::2, ::3].tolist() == [[1, 2, 3], [4, 5, 0]]
    assert pixels.shape == (4, 9)


@pytest.mark.parametrize("value", [0, 3])
def test_png_of_one_value(tmp_path, value):
    import PIL.Image

    save_image(np.full((4, 4), value), tmp_path / "a.png")
    pixels = np.asarray(PIL.Image.open(tmp_path / "a.png"))
    assert (pixels == (255 if value else 0)).all()


def test_nothing_is_half_written(volume, tmp_path):
    path = tmp_path / "a.npy"
    save_image(volume, path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="`image`.*finite"):
        save_image(volume * np.nan, path)
    with pytest.raises(ValueError, match="`window`"):
        save_image(volume, tmp_path / "a.png", window=(1, 1))
    assert [file.name for file in tmp_path.iterdir()] == ["a.npy"]
    assert path.read_bytes() == before


def test_refuses(volume, tmp_path):
    with pytest.raises(ValueError, match=r"`path`.*\.nii\.gz"):
        save_image(volume, tmp_path / "a.jpg")
    with pytest.raises(ValueError, match="`image`.*shape"):
        save_image(volume[None], tmp_path / "a.npy")


def test_asks_for_nibabel(volume, tmp_path, monkeypatch):
    original = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "nibabel":
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ImportError, match=r"loupe-tf\[volumes\]"):
        save_image(volume, tmp_path / "a.nii")
    assert not list(tmp_path.iterdir())


def test_png_has_square_pixels(tmp_path):
    import PIL.Image

    image = np.zeros((2, 20, 30))
    image[:, 5:15, 10:20] = 1
    save_image(image[0], tmp_path / "a.png", field_of_view=(40, 30))
    pixels = np.asarray(PIL.Image.open(tmp_path / "a.png"))
    assert pixels.shape == (40, 30)
    assert (pixels > 127).sum() == pytest.approx(20 * 10, abs=20)
    save_image(image, tmp_path / "b.png", field_of_view=(40, 30))
    assert PIL.Image.open(tmp_path / "b.png").size == (60, 40)
    save_image(image[0], tmp_path / "a.png", field_of_view=(20.1, 30))
    assert PIL.Image.open(tmp_path / "a.png").size == (30, 20)
