import functools

import keras


def compiled(function):
    """Compile a function of tensors on the current backend.

    The function takes and returns tensors, or nested tuples of tensors. On the
    torch backend it is not compiled, and keeps nothing for gradients.

    Args:
        function: Callable.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return _without_rewritten_sums(tf.function(function, autograph=False))
    if backend == "jax":
        import jax

        return jax.jit(function)
    import torch

    return functools.wraps(function)(torch.no_grad()(function))


def _without_rewritten_sums(function):
    """Call a `tf.function` without the arithmetic optimizer of its graph.

    It replaces sums by a temporary variable, which fails in nested loops:
    "Resource … TmpVar" already exists.
    """
    import tensorflow as tf

    @functools.wraps(function)
    def call(*arguments):
        options = tf.config.optimizer
        before = options.get_experimental_options()
        options.set_experimental_options({"arithmetic_optimization": False})
        try:
            return function(*arguments)
        finally:
            before = before.get("arithmetic_optimization", True)
            options.set_experimental_options(
                {"arithmetic_optimization": before}
            )

    return call
