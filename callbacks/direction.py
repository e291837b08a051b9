from keras.src.callbacks.monitor_callback import MonitorCallback

from loupe_tf.checks import check_choice, invalid

# What `MaskValidation` puts before the name of a metric.
KINDS = ("relaxed", "sampled", "threshold", "exact")
MODES = ("auto", "min", "max")
# Our functions of images do not say it where `compile` is given them as such.
OWN = {"psnr": "max", "ssim": "max", "nmse": "min"}


def direction(model, monitor, mode="auto"):
    """Return whether a monitored quantity is to fall or to rise.

    Keras's rule for `mode="auto"`, a loss falls and a metric says what it
    does, and for what that leaves open: the losses of single outputs, the
    names that `MaskValidation` adds, and this package's metrics.

    Args:
        model: The `keras.Model`, whose metrics are built by the first step.
        monitor: String, name of the quantity in the logs.
        mode: `"auto"`, `"min"` or `"max"`.

    Returns:
        `"min"` or `"max"`.

    Raises:
        ValueError: If the direction cannot be told.
    """
    check_choice("mode", mode, MODES)
    if mode != "auto":
        return mode
    name = _metric_name(monitor)
    if name == "loss" or name.endswith("_loss"):
        return "min"
    directions = {}
    for metric in _metrics(model):
        found = getattr(metric, "_direction", None)
        found = {"up": "max", "down": "min"}.get(found, OWN.get(metric.name))
        directions[metric.name] = found
    # With several outputs that of the output comes first.
    for known in sorted(directions, key=len, reverse=True):
        if directions[known] and (name == known or name.endswith(f"_{known}")):
            return directions[known]
    raise invalid(
        "mode",
        "'min' or 'max' for a monitor of which neither its name nor the "
        f"metrics of the model ({', '.join(['loss', *directions])}) tell "
        "whether it is to fall or to rise",
        found=f"monitor={monitor!r}, mode='auto'",
    )


def set_direction(callback, mode):
    """Let a callback of Keras or ours follow the direction that was found.

    Args:
        callback: A `MonitorCallback`.
        mode: `"min"` or `"max"`.

    Raises:
        ValueError: If the callback was told the other direction.
    """
    if callback.mode not in ("auto", mode):
        raise invalid(
            "mode",
            f"the same direction of monitor={callback.monitor!r} everywhere, "
            f"{mode!r}",
            found=f"{type(callback).__name__} with mode={callback.mode!r}",
        )
    if callback.monitor_op is None:
        own, callback.mode = callback.mode, mode
        MonitorCallback._set_monitor_op(callback)
        # What was given stays: it may be the name of a run.
        callback.mode = own


def _metric_name(monitor):
    """The name of a monitored quantity without what validation adds."""
    name = monitor.removeprefix("val_")
    if name != monitor:
        for kind in KINDS:
            name = name.removeprefix(f"{kind}_")
    return name


def _metrics(model):
    for metric in getattr(model, "metrics", ()):
        # Keras keeps those of `compile` in one, which has none until built.
        yield from getattr(metric, "metrics", None) or [metric]
