import numpy as np

from loupe_tf.kept_images import load_images, save_images
from loupe_tf.run_folder import RunFolder


def test_images_are_kept(tmp_path, rng):
    folder = RunFolder(tmp_path / "out")
    assert load_images(folder, "a") == {}
    image = rng.uniform(size=(3, 4, 1))
    save_images(folder, "a", mask=image[..., 0] > 0.5, image=image)
    found = load_images(folder, "a")
    assert found["image"].dtype == "float32"
    np.testing.assert_allclose(found["image"], image, atol=5e-4)
    np.testing.assert_array_equal(found["mask"], image[..., 0] > 0.5)
    save_images(RunFolder(tmp_path / "no", writes=False), "a", x=[])
    assert not (tmp_path / "no").exists()
