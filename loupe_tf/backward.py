from keras import ops


def with_backward(x, backward, *tensors):
    """Return x, whose gradient goes through a function on its way back.

    Args:
        x: Tensor.
        backward: Function of the gradient in the value, and of `tensors`, that
            returns the gradient in x.
        *tensors: What the function needs of the computation around it. Under
            `keras.remat`, JAX cannot see them from within.
    """

    @ops.custom_gradient
    def identity(x, *tensors):
        def pull(*arguments, upstream=None):
            # Only torch gives it by this name.
            gradient = arguments[0] if upstream is None else upstream
            found = backward(gradient, *tensors)
            if not tensors:
                return found
            return (found, *map(ops.zeros_like, tensors))

        return x * 1.0, pull

    return identity(x, *tensors)


def with_gradient_of(x, value):
    """Return a value that has the gradient of x.

    Compilers leave out that part of x which its gradient does not need.

    Args:
        x: Tensor, which gets the gradient.
        value: Tensor of the same shape, which gets none.
    """

    @ops.custom_gradient
    def replace(x, value):
        def pull(*arguments, upstream=None):
            gradient = arguments[0] if upstream is None else upstream
            return gradient, ops.zeros_like(value)

        return value * 1.0, pull

    return replace(x, value)
