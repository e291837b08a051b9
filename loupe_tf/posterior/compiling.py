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

        return tf.function(function, autograph=False)
    if backend == "jax":
        import jax

        return jax.jit(function)
    import torch

    return functools.wraps(function)(torch.no_grad()(function))
