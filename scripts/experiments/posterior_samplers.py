"""Priors, and what draws samples, for the posterior's experiment."""

import numpy as np

import loupe_tf
from experiments import conducting
from experiments import posterior_scans as scans
from experiments.unet import build_unet
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
    fit(training, settings, settings["score_epochs"], train.images)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.written_aside(path) as partial:
        score.save(partial)
    return score


def fit(model, settings, epochs, x, y=None, loss=None):
    """Train by Adam, whose learning rate falls like a cosine."""
    import keras

    rate = keras.optimizers.schedules.CosineDecay(
        settings["learning_rate"],
        epochs * -(-len(x) // settings["batch_size"]),
        alpha=0.02,
    )
    model.compile(keras.optimizers.Adam(rate, global_clipnorm=1.0), loss)
    model.fit(x, y, batch_size=settings["batch_size"], epochs=epochs, verbose=0)


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
        method
        or loupe_tf.posterior.Langevin(settings["steps"], settings["length"]),
        loupe_tf.posterior.noise_levels(
            high, max(low, settings["noise"] / 5), settings["levels"]
        ),
        final=low,
        chains=settings["chains"],
        seed=run.seed,
        file=folder / "unfinished" / run.name / f"{name}.npz",
    )


def unet(run, settings, train, mask, seed):
    """A U-Net on the adjoint image, trained for the mask."""
    import keras

    keras.utils.set_random_seed(seed)
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
    inputs = scans.adjoint(
        scans.measure(train.images, mask, settings["noise"], seed + 1)
    )
    fit(model, settings, settings["unet_epochs"], inputs, train.images, "mse")
    return model


def unet_samples(run, settings, train, mask):
    """The images of U-Nets, as a function of the true ones."""
    count = settings["members"] if run.method == "ensemble" else 1
    models = [
        unet(run, settings, train, mask, run.seed + member)
        for member in range(count)
    ]

    def samples(images):
        x = scans.adjoint(
            scans.measure(images, mask, settings["noise"], run.seed)
        )
        if run.method == "dropout":
            return loupe_tf.posterior.dropout_samples(
                models[0], x, 2 * settings["chains"]
            )
        if run.method == "ensemble":
            return loupe_tf.posterior.ensemble_samples(models, x)
        return models[0].predict(x, verbose=0)[None]

    return samples


def sampler(run, settings, train, mask, folder):
    """A function from images and a name to samples `(n, batch, H, W, 2)`."""
    if run.method == "zero_filled":
        return lambda images, name: scans.adjoint(
            scans.measure(images, mask, settings["noise"], run.seed)
        )[None]
    if run.method in ("unet", "dropout", "ensemble"):
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
    """Lines of largest posterior variance, in rounds with new samples."""
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
        most = -(-(budget - start) // settings["rounds"])
        count = min(most, budget - mask.acquired)
        mask = loupe_tf.posterior.uncertain_lines(draws, mask, count)
    return mask


def learn_lines(run, settings, train, validation, folder):
    """Lines that 4S learns together with a U-Net, without noise."""
    path = folder / "masks" / f"R{run.acceleration:g}-fold{run.fold}.npz"
    if path.exists():
        return masks.SamplingMask.load(path)
    size = train.images.shape[1:]
    model = build_unet(
        {
            "filters": settings["unet_filters"],
            "depth": settings["unet_depth"],
            "learning_rate": settings["mask_learning_rate"],
        },
        size,
        run.seed,
        acceleration=run.acceleration,
        lines="columns",
        calibration=settings["calibration"],
        reconstruction="complex",
    )
    given = {
        **{"epochs": settings["mask_epochs"], "patience": 1, "cooldown": 0},
        "learning_rate": settings["mask_learning_rate"],
    }
    conducting.fit_one_round(
        model, run, {**settings, **given}, train.images, validation, folder
    )
    mask = masks.from_model(model)
    mask.save(path)
    return mask
