import keras


def recomputed(function):
    """Return a function whose inner values are computed again for its gradient.

    It is `keras.remat`, except on JAX: there, XLA's compiler for CPUs drops the
    barriers of `jax.checkpoint`, sees the same computation twice, merges both,
    and keeps all values. Here the second computation depends on the gradient,
    so it cannot be merged with the first, and begins only when the gradient is
    there.

    Args:
        function: Callable from tensors to a tuple of tensors, the first of
            which has a floating dtype. It must not use other tensors of the
            computation around it, whose gradients would be lost.

    Returns:
        A callable with the same arguments and results.
    """
    if keras.backend.backend() == "jax":
        return _on_jax(function)
    return keras.remat(function)


def _on_jax(function):
    import jax

    @jax.custom_vjp
    def call(*values):
        return function(*values)

    def forward(*values):
        return function(*values), values

    def backward(values, gradients):
        # The compiler may not drop it: 0 times infinity is not 0. A sum needs
        # the whole gradient; one entry might be computed ahead.
        zero = 0 * gradients[0].sum()
        again = [
            value + zero.astype(value.dtype)
            if jax.numpy.issubdtype(value.dtype, jax.numpy.floating)
            else value
            for value in values
        ]
        _, pull = jax.vjp(function, *again)
        return pull(gradients)

    call.defvjp(forward, backward)
    return call
