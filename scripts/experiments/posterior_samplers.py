"""Priors, and what draws samples, for the posterior's experiment."""

import numpy as np

import loupe_tf
from experiments import posterior_scans as scans
from loupe_tf import atomic, masks


def trained_score(run, settings, train, folder):
    """The score network of a seed, trained if it has not been."""
    import keras

    path = folder / "scores" / f"seed{run.seed}-fold{run.fold}.keras"
    if path.exists():
        return keras.models.load_model(path)
    keras.utils.set_random_seed(run.seed)
    score = loupe_tf.models.ScoreNetwork(
        settings["range"],
        filters=settings["filters"],
        depth=settings["depth"],
        spectral_norm=settings["spectral_norm"],
    )
    score.adapt(train.images)
    training = loupe_tf.regimes.ScoreMatching(score, seed=run.seed)
    epochs, first = settings["score_epochs"], settings["learning_rate"]
    rate = keras.optimizers.schedules.CosineDecay(
        first,
        epochs * -(-len(train.images) // settings["batch_size"]),
        alpha=0.02,
    )
    training.compile(keras.optimizers.Adam(rate))
    training.fit(
        train.images,
        batch_size=settings["batch_size"],
        epochs=epochs,
        verbose=0,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.written_aside(path) as partial:
        score.save(partial)
    return score


def gaussian_score(train):
    prior = loupe_tf.layers.GaussianScore()
    prior.adapt(train.images)
    return prior


def draw(score, run, settings, images, mask, folder, name, method=None):
    """Samples of the posterior of images, kept while they are drawn."""
    kspace = scans.measure(images, mask, settings["noise"], run.seed)
    low, high = settings["range"]
    sampled = np.broadcast_to(mask.array, images.shape[1:3])
    scan = loupe_tf.operators.Cartesian(
        sampled[None, ..., None].astype("float32")
    )
    return loupe_tf.posterior.sample(
        score,
        scan,
        kspace,
        settings["noise"],
        method or loupe_tf.posterior.Langevin(settings["steps"], 0.5),
        loupe_tf.posterior.noise_levels(
            high, min(3 * low, high / 2), settings["levels"]
        ),
        final=low,
        chains=settings["chains"],
        seed=run.seed,
        file=folder / "unfinished" / f"{run.name}-{name}.npz",
    )


def unet_samples(run, settings, train, mask):
    """A U-Net on the adjoint image, trained for the mask; as a function."""
    import keras

    keras.utils.set_random_seed(run.seed)
    size = train.images.shape[1:3]
    image = keras.Input((*size, 2))
    network = loupe_tf.models.unet(
        (*size, 2),
        output_channels=2,
        filters=settings["unet_filters"],
        depth=settings["unet_depth"],
        dropout=settings["dropout"] if run.method == "dropout" else 0.0,
        normalization="instance",
    )
    model = keras.Model(image, image + network(image))
    model.compile(keras.optimizers.Adam(settings["learning_rate"]), "mse")
    sigma = settings["noise"]

    def inputs(images, seed):
        return scans.adjoint(scans.measure(images, mask, sigma, seed))

    model.fit(
        inputs(train.images, run.seed + 1),
        train.images,
        batch_size=settings["batch_size"],
        epochs=settings["unet_epochs"],
        verbose=0,
    )

    def samples(images):
        x = inputs(images, run.seed)
        if run.method == "dropout":
            return loupe_tf.posterior.dropout_samples(
                model, x, 2 * settings["chains"]
            )
        return model.predict(x, verbose=0)[None]

    return samples


def sampler(run, settings, train, mask, folder):
    """A function from images and a name to samples `(n, batch, H, W, 2)`."""
    if run.method == "zero_filled":
        return lambda images, name: scans.adjoint(
            scans.measure(images, mask, settings["noise"], run.seed)
        )[None]
    if run.method in ("unet", "dropout"):
        samples = unet_samples(run, settings, train, mask)
        return lambda images, name: samples(images)
    if run.method == "gaussian":
        score = gaussian_score(train)
    else:
        score = trained_score(run, settings, train, folder)
    return lambda images, name: (
        draw(score, run, settings, images, mask, folder, name).samples
    )


def choose_lines(run, settings, train, images, folder):
    """Lines of largest posterior variance, in rounds that double them."""
    width = images.shape[2]
    start = settings["calibration"]
    budget = masks.random_lines((1, width), run.acceleration, start).acquired
    array = np.zeros((1, width), bool)
    array[:, width // 2 - start // 2 :][:, :start] = True
    mask = masks.SamplingMask(array)
    while mask.acquired < budget:
        draws = sampler(run, settings, train, mask, folder)(
            images, f"lines{mask.acquired}"
        )
        count = min(mask.acquired, budget - mask.acquired)
        mask = loupe_tf.posterior.uncertain_lines(draws, mask, count)
    return mask
