"""The cheapest proof that the whole learning loop is right.

With an identity decoder of complex images and the MSE, Parseval's theorem says
that the error is the energy of the samples that were not acquired. The best
mask is then the top-k of the mean power spectrum, and a learned mask must
converge to it.
"""

import keras
import numpy as np
import pytest
import tensorflow_datasets as tfds

import loupe_tf.datasets
from loupe_tf import fourier, masks
from loupe_tf.models import loupe_model

STEPS = 3000
BATCH_SIZE = 16
# Low enough that entries on both sides of the threshold see a gradient.
SLOPES = {
    "relaxed": 12.0,
    "straight_through": 12.0,
    "concrete": 1.5,
    "gumbel_topk": 1.5,
}


@pytest.fixture(scope="module")
def brains(tmp_path_factory):
    builder = tfds.builder(
        "mni_brain/64", data_dir=tmp_path_factory.mktemp("d")
    )
    builder.download_and_prepare()
    images, _ = loupe_tf.datasets.load_arrays(builder, "train")
    return np.concatenate([images, np.zeros_like(images)], axis=-1)


@pytest.mark.slow
@pytest.mark.parametrize("acceleration", [4, 8])
@pytest.mark.parametrize("estimator", SLOPES)
def test_learned_mask_is_the_top_of_the_spectrum(
    brains, estimator, acceleration
):
    kspace = keras.ops.convert_to_numpy(fourier.fft2c(brains))
    power = np.mean(np.sum(kspace**2, axis=-1), axis=0)
    best = masks.spectrum(brains, acceleration).array

    model = loupe_model(
        brains.shape[1:],
        acceleration,
        estimator=estimator,
        slope=SLOPES[estimator],
        reconstruction="complex",
        reconstructor="zero_filled",
        seed=0,
    )
    rate = keras.optimizers.schedules.CosineDecay(0.01, STEPS)
    model.compile(keras.optimizers.Adam(rate), loss="mse")
    epochs = STEPS // (len(brains) // BATCH_SIZE)
    model.fit(brains, brains, BATCH_SIZE, epochs, verbose=0)

    learned = masks.from_model(model).array
    shared = (learned & best).sum() / best.sum()
    residual = power[~learned].sum() / power[~best].sum()
    print(f"{estimator}, R = {acceleration}: {shared:.4f}, {residual:.4f}")
    assert learned.sum() == best.sum()
    assert shared >= 0.95
    assert residual <= 1.02
