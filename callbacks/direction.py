from keras.src.callbacks.monitor_callback import MonitorCallback

from loupe_tf import metrics
from loupe_tf.checks import check_choice, invalid

# The prefixes that `MaskValidation` adds to the names of metrics.
KINDS = ("relaxed", "sampled", "threshold", "exact")
MODES = ("auto", "min", "max")
BETTER = {"up": "max", "down": "min"}
# When `compile` is given our functions, they do not carry a direction; the
# metrics of the same names in capitals do.
OWN = {
    name.lower(): metric._direction
    for name, metric in vars(metrics).items()
    if hasattr(metric, "_direction")
}


def direction(model, monitor, mode="auto"):
    """Return whether a monitored quantity should fall or rise.

    `mode="auto"` follows Keras: a loss should fall, and a metric states its
    direction. This function also covers the losses of single outputs, the
    names that `MaskValidation` adds, and this package's metrics.

    Args:
        model: The `keras.Model`. Its metrics are built by the first step.
        monitor: String, name of the quantity in the logs.
        mode: `"auto"`, `"min"` or `"max"`.

    Returns:
        `"min"` or `"max"`.

    Raises:
        ValueError: If the direction is unknown.
    """
    check_choice("mode", mode, MODES)
    if mode != "auto":
        return mode
    name = _metric_name(monitor)
    if name == "loss" or name.endswith("_loss"):
        return "min"
    directions = {}
    for metric in _metrics(model):
        found = getattr(metric, "_direction", None) or OWN.get(metric.name)
        directions[metric.name] = BETTER.get(found)
    # With several outputs, the output's own metric takes precedence.
    for known in sorted(directions, key=len, reverse=True):
        if directions[known] and (name == known or name.endswith(f"_{known}")):
            return directions[known]
    raise invalid(
        "mode",
        "'min' or 'max', because neither the name of the monitor nor the "
        f"metrics of the model ({', '.join(['loss', *directions])}) say "
        "whether it should fall or rise",
        found=f"monitor={monitor!r}, mode='auto'",
    )


def set_direction(callback, mode):
    """Make a callback use a direction.

    Args:
        callback: A `MonitorCallback`.
        mode: `"min"` or `"max"`.

    Raises:
        ValueError: If the callback was given the opposite direction.
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
        # Restore the given mode: it may be part of a run's settings.
        callback.mode = own


def _metric_name(monitor):
    """The name of a monitored quantity without its validation prefixes."""
    name = monitor.removeprefix("val_")
    if name != monitor:
        for kind in KINDS:
            name = name.removeprefix(f"{kind}_")
    return name


def _metrics(model):
    for metric in getattr(model, "metrics", ()):
        # Keras wraps the metrics of `compile` in one, empty until built.
        yield from getattr(metric, "metrics", None) or [metric]
