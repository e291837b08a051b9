"""Compiling a copy of a model as the model itself was compiled."""

import keras


def compile_like(copy, model):
    """Compile a copy with the arguments of a model, if that is compiled.

    Keras's `compile_from_config` would look up each loss and metric by its
    name, and refuse those that are not registered. Here they are at hand: the
    copy takes the losses and functions themselves, and an optimizer and metrics
    of its own, since those have a state. A metric of one's own needs
    `get_config` if it has arguments, as for saving.

    Args:
        copy: `keras.Model`, not compiled.
        model: `keras.Model`.
    """
    if not model.compiled:
        return
    # Keras keeps the arguments as they were given in this attribute alone.
    arguments = model._compile_config.config
    copy.compile(**keras.tree.map_structure(_own, arguments))
    if copy.built:
        copy.optimizer.build(copy.trainable_variables)


def _own(argument):
    """Copy what has a state."""
    if isinstance(argument, keras.optimizers.Optimizer):
        return _optimizer(argument)
    if type(argument) is keras.metrics.MeanMetricWrapper:
        # Its configuration would name the function.
        return keras.metrics.MeanMetricWrapper(
            argument._fn, argument.name, argument.dtype, **argument._fn_kwargs
        )
    if isinstance(argument, keras.metrics.Metric):
        return type(argument).from_config(argument.get_config())
    return argument


def _optimizer(optimizer):
    config = optimizer.get_config()
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        config["inner_optimizer"] = _optimizer(optimizer.inner_optimizer)
        return type(optimizer)(**config)
    if not isinstance(optimizer._learning_rate, keras.Variable):
        config["learning_rate"] = optimizer._learning_rate  # A schedule.
    return type(optimizer).from_config(config)
