"""Compiling a copy of a model as the model itself was compiled."""

import keras


def compile_like(copy, model):
    """Compile a copy with the arguments of a model, if that is compiled.

    Keras's `compile_from_config` would look up each loss and metric by its
    name, and refuse those that are not registered. Here they are at hand: the
    copy takes the losses themselves, and an optimizer and metrics of its own,
    since those have a state.

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
    if isinstance(argument, keras.optimizers.Optimizer | keras.metrics.Metric):
        return type(argument).from_config(argument.get_config())
    return argument
