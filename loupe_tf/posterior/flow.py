from keras import ops


def flow(posterior, x, s, next_s):
    """Follow the probability flow from one level to a lower one.

        dx/ds = -s ∇ log p_s(x | y)

    removes the noise of an image of the level s without drawing new one (Song
    et al., "Score-based generative modeling through stochastic differential
    equations", 2021). One step of Heun's rule, in log s.

    The tempered posterior is not quite that of images with noise: where prior
    and measurement are about equally certain, the flow narrows the posterior by
    up to `s² / 2` too much. It is exact where one of them prevails.

    Args:
        posterior: `TemperedPosterior`.
        x: Tensor `(n, H, W, 2)`.
        s, next_s: Scalar tensors, the levels.
    """
    x = ops.convert_to_tensor(x, "float32")
    way = ops.log(next_s) - ops.log(s)
    slope = -ops.square(s) * posterior.gradient(x, s)
    ahead = x + way * slope
    slope = slope - ops.square(next_s) * posterior.gradient(ahead, next_s)
    return x + 0.5 * way * slope


def flow_to_zero(posterior, x, s, share):
    """Follow the probability flow from a level towards 0, with its own score.

    In s², which falls to 0, the flow is `dx/ds² = -½ ∇ log p_s(x | y)`. Below
    the last level the score is not known, so that of the last level is used.
    To first order in s², this takes away the variance s² that is left.

    Args:
        posterior: `TemperedPosterior`.
        x: Tensor `(n, H, W, 2)`.
        s: Scalar tensor, the level.
        share: Scalar tensor, the share of s² of this step.
    """
    return x + 0.5 * share * ops.square(s) * posterior.gradient(x, s)
