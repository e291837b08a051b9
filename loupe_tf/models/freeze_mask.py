from loupe_tf import masks
from loupe_tf.checks import invalid
from loupe_tf.compile_like import compile_like
from loupe_tf.models.loupe import Loupe
from loupe_tf.samplers import GivenMask


def freeze_mask(model):
    """Return a model that trains the reconstructor alone, on the learned mask.

    In training, a model that learns a mask draws relaxed masks; at inference it
    uses one binary mask. The frozen model uses the binary mask in training,
    too, so that the reconstructor learns what it will see. It shares the
    reconstructor: train the frozen model, and the given one has the new
    weights. At inference the two are the same.

    Args:
        model: A `Loupe`, such as `loupe_model` returns, with one mask.

    Returns:
        A `Loupe` with a `GivenMask`, compiled as the given one is, with a new
        optimizer.

    Raises:
        ValueError: If the model is no `Loupe`, or has several masks.

    Example:

    ```python
    model.fit(images, images, epochs=60, callbacks=[
        loupe_tf.callbacks.SelfShrinkingSigmoidSlope(monitor="loss"),
    ])
    frozen = loupe_tf.models.freeze_mask(model)
    frozen.fit(images, images, epochs=20)
    mask = loupe_tf.masks.from_model(model)
    ```
    """
    if not isinstance(model, Loupe):
        raise invalid(
            "model",
            "a `loupe_tf.models.Loupe`, such as `loupe_model` returns",
            found=f"a {type(model).__name__}",
        )
    if model.sampler.curves:
        raise invalid(
            "model",
            "a model that samples with a mask",
            found=f"model {model.name!r}, which samples along curves",
        )
    mask = masks.from_model(model)
    if isinstance(mask, tuple):
        raise invalid(
            "model",
            "a model of one mask",
            found=f"model {model.name!r}, which has {len(mask)}",
        )
    config = {**model.settings, "field_of_view": mask.field_of_view}
    frozen = Loupe(
        **config,
        sampler=GivenMask(mask),
        reconstructor=model.reconstructor,
        name=f"{model.name}_frozen",
    )
    compile_like(frozen, model)
    return frozen
