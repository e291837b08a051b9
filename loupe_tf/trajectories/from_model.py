"""Read the trajectory of a model."""

from loupe_tf.checks import invalid
from loupe_tf.masks.from_model import weights_hash

SAMPLED_TRAJECTORY = "sampled_trajectory"


def from_model(model, provenance=None):
    """Read from a model the trajectory along which it measures.

    Args:
        model: Keras model with a layer named `sampled_trajectory`, as
            `loupe_model` makes it with the samplers `LearnedTrajectory` and
            `GivenTrajectory`.
        provenance: (Optional) dictionary that JSON can store, with facts that
            the model does not contain.

    Returns:
        A `Trajectory`, with the positions as they are now, in float64. Its
        provenance has `weights_sha256`, see `loupe_tf.masks.from_model`.

    Raises:
        ValueError: If the model has no such layer.
    """
    names = [layer.name for layer in model.layers]
    if SAMPLED_TRAJECTORY not in names:
        raise invalid(
            "model",
            f"a layer named '{SAMPLED_TRAJECTORY}'",
            found=f"model '{model.name}', with the layers {names}",
        )
    trajectory = model.get_layer(SAMPLED_TRAJECTORY).trajectory
    known = {
        **trajectory.provenance,
        "model": model.name,
        "weights_sha256": weights_hash(model),
        **(provenance or {}),
    }
    return trajectory.replace(provenance=known)
