"""The unrolled networks of experiments, by name."""

NAMES = {"modl": "MoDL", "varnet": "VarNet", "xpdnet": "XPDNet"}
"""What tables and figures call each of them."""


def build_unrolled(name, size, iterations, filters, depth, **others):
    """Build an unrolled network.

    Args:
        name: One of `NAMES`.
        size: Tuple `(H, W)`, the matrix size.
        iterations: Integer, the number of iterations.
        filters: Integer, channels of its image network: of each convolution in
            MoDL, at the finest scale in VarNet and XPDNet.
        depth: Integer, the number of convolutions in MoDL and of scales in
            VarNet and XPDNet.
        **others: Further arguments of `loupe_tf.models.Unrolled`.

    Returns:
        A reconstructor that starts at the zero-filled image, so a mask learned
        with it has useful gradients from the first step.
    """
    from loupe_tf import models

    if name == "modl":
        network = models.cnn((*size, 2), filters=filters, depth=depth)
        return models.MoDL(network, iterations, **others)
    if name == "varnet":
        network = models.norm_unet(
            (*size, 2),
            filters=filters,
            depth=depth - 1,
            standardize="residual",
            output_initializer="zeros",
        )
        return models.VarNet(network, iterations, **others)
    network = models.mwcnn(
        (*size, 6),
        output_channels=4,
        filters=[filters * 2**i for i in range(1, depth)],
        first_filters=filters,
        convolutions=2,
        first_convolutions=1,
    )
    return models.XPDNet(network, iterations, buffers=2, **others)
