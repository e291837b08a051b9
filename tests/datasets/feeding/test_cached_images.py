import errno

import numpy as np
import pytest

from loupe_tf.datasets.feeding import cached_images
from loupe_tf.datasets.feeding.cached_images import CachedImages
from loupe_tf.datasets.feeding.pipeline import ArrayImages
from loupe_tf.reading import BadFileError


@pytest.fixture
def images(rng):
    return ArrayImages(rng.normal(size=(6, 4, 5, 1)).astype("float32"))


@pytest.fixture
def cache(images, tmp_path):
    CachedImages(images, tmp_path).fetch(range(6))
    (path,) = tmp_path.glob("*.npy")
    return path


def test_a_damaged_image_is_found_in_a_later_run(images, cache):
    content = bytearray(cache.read_bytes())
    content[-1] ^= 1
    cache.write_bytes(content)
    again = CachedImages(images, cache.parent)
    np.testing.assert_array_equal(again.fetch([3, 0]), images.fetch([3, 0]))
    with pytest.raises(
        BadFileError, match=rf"{cache.name}.*\[5\]. Delete the file"
    ):
        again.fetch([3, 5])


@pytest.mark.parametrize("content", [b"", b"no array", None])
def test_a_file_that_is_no_cache_is_named(images, cache, content):
    if content is None:
        content = cache.read_bytes()[:-4]
    cache.write_bytes(content)
    with pytest.raises(BadFileError, match=cache.name):
        CachedImages(images, cache.parent)


def test_a_cache_of_another_type_is_named(images, cache):
    np.save(cache, np.zeros((6, 4, 5, 1), "float64"))
    with pytest.raises(BadFileError, match=f"{cache.name}.*float64"):
        CachedImages(images, cache.parent)


def test_a_cache_without_checksums_is_written_again(images, cache):
    cache.write_bytes(b"of an older version")
    (cache.parent / f"{cache.stem}.crc32c").unlink()
    again = CachedImages(images, cache.parent)
    np.testing.assert_array_equal(again.fetch(range(6)), images.array)
    again = CachedImages(images, cache.parent)
    np.testing.assert_array_equal(again.fetch(range(6)), images.array)


def test_a_full_disk_is_named_before_anything_is_mapped(
    images, tmp_path, monkeypatch
):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cached_images.os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space.* MB free.*partial"):
        CachedImages(images, tmp_path)
    assert [*tmp_path.iterdir()] == []
