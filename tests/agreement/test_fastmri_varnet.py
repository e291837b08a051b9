"""Agreement with the E2E-VarNet of the `fastmri` package, with its weights."""

import keras
import numpy as np
import pytest

from loupe_tf import models, numpy_fourier

pytest.importorskip("fastmri")

import torch  # noqa: E402
from fastmri.models import VarNet  # noqa: E402

pytestmark = pytest.mark.slow


# A scanner's unit does not matter.
@pytest.mark.parametrize(
    "size, calibration, scale",
    [((24, 18), 4, 1.0), ((19, 21), 5, 1e-5), ((16, 32), 7, 1e3)],
)
def test_same_parameters_and_output(rng, tmp_path, size, calibration, scale):
    torch.manual_seed(0)
    theirs = VarNet(2, sens_chans=3, sens_pools=2, chans=4, pools=2).eval()
    with torch.no_grad():
        for i, cascade in enumerate(theirs.cascades):
            cascade.dc_weight.fill_(0.6 + 0.3 * i)
    torch.save(theirs.state_dict(), tmp_path / "varnet.pt")

    def unet(filters):
        return models.norm_unet((*size, 2), filters=filters, depth=2)

    maps = models.SensitivityMaps(calibration, unet(3))
    ours = models.VarNet(unet(4), 2, combine="rss", sensitivities=maps)
    ours.build([(None, 3, *size, 2), (None, 1, size[1], 1)])
    models.load_fastmri_weights(ours, tmp_path / "varnet.pt")
    assert ours.count_params() == sum(w.numel() for w in theirs.parameters())

    mask = rng.uniform(size=(2, 1, size[1], 1)) < 0.4
    first = size[1] // 2 - calibration // 2
    mask[:, :, first : first + calibration] = True
    images = scale * rng.normal(0.2, 1, (2, 3, *size, 2)) @ np.array([1, 1j])
    kspace = mask[:, None, ..., 0] * numpy_fourier.fft2c(images)
    kspace = np.stack([kspace.real, kspace.imag], -1).astype("float32")
    with torch.no_grad():
        expected = theirs(
            torch.from_numpy(kspace),
            torch.from_numpy(mask[:, None]),
            calibration,
        ).numpy()
    got = ours([kspace, mask.astype("float32")])
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(got)[..., 0] / expected.max(),
        expected / expected.max(),
        atol=1e-5,
    )
