import keras


def vjp(function, x):
    """Return the function `v ↦ Jᵀ v`, with J the Jacobian of a function at x.

    Keras has no such operation, so each backend has a branch here. The
    function is evaluated once, and the product may be taken many times, within
    the backward pass of `keras.ops.custom_gradient` too.

    Args:
        function: Callable from a tensor to a tensor.
        x: Tensor.

    Returns:
        Callable from a tensor of the shape of `function(x)` to one of the
        shape of x.
    """
    return BACKENDS[keras.backend.backend()](function, x)


def _on_jax(function, x):
    import jax

    _, pull = jax.vjp(function, x)
    return lambda v: pull(v)[0]


def _on_tensorflow(function, x):
    import tensorflow as tf

    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = function(x)
    return lambda v: tape.gradient(
        y, x, v, unconnected_gradients=tf.UnconnectedGradients.ZERO
    )


def _on_torch(function, x):
    import torch

    with torch.enable_grad():
        x = x.detach().requires_grad_()
        y = function(x)
    return lambda v: torch.autograd.grad(
        y, x, v, retain_graph=True, materialize_grads=True
    )[0]


BACKENDS = {
    "jax": _on_jax,
    "tensorflow": _on_tensorflow,
    "torch": _on_torch,
}
