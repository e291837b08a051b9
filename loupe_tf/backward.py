from keras import ops


def with_backward(x, backward):
    """Return x, whose gradient goes through a function on its way back."""

    @ops.custom_gradient
    def identity(x):
        def pull(*arguments, upstream=None):
            # Only torch gives it by this name.
            return backward(arguments[0] if upstream is None else upstream)

        return x * 1.0, pull

    return identity(x)
