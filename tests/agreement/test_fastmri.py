"""Agreement with the `fastmri` package, on files that we have written."""

import numpy as np
import pytest

from loupe_tf.datasets import write_fastmri_dataset
from loupe_tf.formats.fastmri_file import FastmriFile

fastmri = pytest.importorskip("fastmri")

from fastmri.data import SliceDataset  # noqa: E402
from fastmri.data.subsample import RandomMaskFunc  # noqa: E402
from fastmri.data.transforms import (  # noqa: E402
    UnetDataTransform,
    complex_center_crop,
    to_tensor,
)

pytestmark = pytest.mark.slow

FOLDERS = ("singlecoil_train", "multicoil_val", "singlecoil_test_v2")


@pytest.fixture(scope="module", params=[(32, 32), (33, 30)])
def folder(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fastmri")
    size = {"size": (64, 40), "recon_size": request.param}
    volumes = dict.fromkeys(FOLDERS, 2)
    write_fastmri_dataset(folder, volumes, slices=3, coils=4, **size)
    return folder


@pytest.mark.parametrize("name", FOLDERS)
def test_slice_dataset_accepts_our_files(folder, name):
    challenge = name.split("_")[0]
    mask = None if "test" in name else RandomMaskFunc([0.08], [4])
    transform = UnetDataTransform(challenge, mask_func=mask)
    samples = SliceDataset(folder / name, challenge, transform)
    assert len(samples) == 6
    for i in range(6):
        sample = samples[i]
        assert np.isfinite(sample.image.numpy()).all()
        assert sample.slice_num == i % 3
        if "test" not in name:
            assert sample.target.shape == sample.image.shape
            with FastmriFile(folder / name / sample.fname) as file:
                assert sample.max_value == file.target().max()


@pytest.mark.parametrize("name", FOLDERS)
def test_same_metadata(folder, name):
    samples = SliceDataset(folder / name, name.split("_")[0])
    for i in (0, 4):
        kspace, mask, target, attributes, fname, number = samples[i]
        with FastmriFile(folder / name / fname) as file:
            header = file.header
            for key in ("padding_left", "padding_right", "recon_size"):
                assert attributes[key] == header[key]
            assert attributes["encoding_size"] == header["encoded_size"]
            assert attributes["acquisition"] == file.acquisition
            assert attributes["patient_id"] == file.patient
            np.testing.assert_array_equal(kspace, file.kspace(number))
            assert (mask is None) == (target is not None)
            if target is not None:
                np.testing.assert_array_equal(target, file.target()[number])


def test_same_reconstruction(folder):
    """`reconstruction_esc` is what fastMRI computes from the k-space."""
    samples = SliceDataset(folder / "singlecoil_train", "singlecoil")
    for kspace, _, target, *_ in samples:
        image = fastmri.ifft2c(to_tensor(kspace))
        image = complex_center_crop(image, target.shape)
        image = fastmri.complex_abs(image).numpy()
        np.testing.assert_allclose(image, target, atol=2e-6 * target.max())


def test_same_root_sum_of_squares(folder):
    samples = SliceDataset(folder / "multicoil_val", "multicoil")
    for kspace, _, target, *_ in samples:
        images = fastmri.ifft2c(to_tensor(kspace))
        images = complex_center_crop(images, target.shape)
        image = fastmri.rss(fastmri.complex_abs(images)).numpy()
        np.testing.assert_allclose(image, target, atol=2e-6 * target.max())
