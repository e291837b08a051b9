"""A network of three convolutions with given kernels, on Keras and on torch.

The benchmarks beside deepinv give both sides the same weights. The network maps
two channels to two, with rectified linear units between the convolutions and
biases of zero.
"""

import numpy as np


def make_kernels(rng, filters, divisor):
    """Draw the kernels, `(3, 3, inputs, outputs)`.

    Args:
        rng: `numpy.random.Generator`.
        filters: Integer, the channels between the convolutions.
        divisor: Float; larger numbers make a smaller norm of the network.

    Returns:
        A list of three float64 arrays.
    """
    channels = (2, filters, filters, 2)
    return [
        rng.normal(size=(3, 3, a, b)) / (divisor * np.sqrt(a + b))
        for a, b in zip(channels, channels[1:])
    ]


def keras_network(kernels, inputs):
    """Return the output of the network, and its convolutions."""
    from keras import layers

    x, convolutions = inputs, []
    for kernel, activation in zip(kernels, ("relu", "relu", None)):
        convolution = layers.Conv2D(
            kernel.shape[-1], 3, padding="same", activation=activation
        )
        x = convolution(x)
        convolution.kernel.assign(kernel)
        convolutions.append(convolution)
    return x, convolutions


def torch_network(kernels):
    """Return the network as a `torch.nn.Sequential`."""
    import torch

    convolutions = []
    for kernel in kernels:
        convolution = torch.nn.Conv2d(*kernel.shape[2:], 3, padding=1)
        swapped = torch.from_numpy(kernel).permute(3, 2, 0, 1)
        convolution.weight.data.copy_(swapped)
        convolution.bias.data.zero_()
        convolutions.append(convolution)
    first, second, third = convolutions
    return torch.nn.Sequential(
        first, torch.nn.ReLU(), second, torch.nn.ReLU(), third
    )
