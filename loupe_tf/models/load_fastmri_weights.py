"""Weights of fastMRI's PyTorch models, for the models here."""

import os

import numpy as np
from keras import ops

from loupe_tf.checks import invalid
from loupe_tf.models.sensitivity_maps import SensitivityMaps
from loupe_tf.models.varnet import VarNet
from loupe_tf.reading import check_file, naming


def load_fastmri_weights(model, weights):
    """Give a model the weights of fastMRI's PyTorch model.

    The models of the fastMRI package (Zbontar et al., arXiv:1811.08839, 2018;
    Sriram et al., MICCAI 2020) and those here compute the same:

    | fastMRI | here |
    |---|---|
    | `Unet(chans=f, num_pool_layers=d)` | `fastmri_unet(filters=f, depth=d)` |
    | `NormUnet(chans=f, num_pools=d)` | `norm_unet(filters=f, depth=d)` |
    | `VarNet(...)` | `VarNet(combine="rss", sensitivities=...)`, as below |

    A `VarNet` needs separate weights of the iterations, and `SensitivityMaps`
    with a calibration region and a `norm_unet`, not residual. fastMRI's
    `num_low_frequencies` is that region's size. For an odd number of columns
    and an even region, fastMRI's begins one column later, so choose an odd
    region there. Its `Unet` expects standardized images; see `standardize` of
    `fastmri_unet`.

    Args:
        model: Built model, one of the above. The weights are changed only if
            all of them fit.
        weights: Path of a PyTorch file with the `state_dict` of fastMRI's
            model, such as its leaderboard's
            `brain_leaderboard_state_dict.pt`, or the `state_dict` itself, a
            mapping from names to tensors or arrays. A file may have tensors
            only: no other object is unpickled. For a checkpoint of PyTorch
            Lightning, pass the entries of its `"state_dict"`, without the
            prefix `varnet.` or `unet.` of their names.

    Returns:
        The model.

    Raises:
        ImportError: If `weights` is a path and PyTorch is not installed.
        ValueError: If the model is not built or is not one of the above; if
            the file has other objects; if weights are missing, unexpected or
            of another shape, which the message names.

    Example:

    ```python
    size = (640, 368)
    reconstructor = loupe_tf.models.VarNet(
        iterations=12,
        combine="rss",
        sensitivities=loupe_tf.models.SensitivityMaps(
            calibration=30,
            network=loupe_tf.models.norm_unet((*size, 2), filters=8),
        ),
    )
    model = loupe_tf.models.loupe_model(
        (*size, 1),
        acceleration=4,
        lines="columns",
        calibration=30,
        coils="any",
        reconstructor=reconstructor,
    )
    loupe_tf.models.load_fastmri_weights(
        reconstructor, "brain_leaderboard_state_dict.pt"
    )
    ```
    """
    if not model.built:
        raise invalid(
            "model",
            "a built model, such as one that `loupe_model` was called with",
            found=f"{model.name!r}, which is not built",
        )
    if isinstance(weights, (str, os.PathLike)):
        weights = _read(weights)
    arrays = {name: _array(value) for name, value in weights.items()}
    parts = list(_parts(model))
    shapes = {name: shape for name, shape, _ in parts}
    _check(arrays, shapes)
    for name, _, assign in parts:
        assign(arrays[name])
    return model


def _read(path):
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            "Reading a PyTorch file needs the package torch. Install it: "
            "pip install torch"
        ) from error
    check_file(path)
    with naming(path, "a file of tensors only"):
        found = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(found, dict):
        raise invalid(
            "weights",
            "a file with a mapping from names to tensors",
            found=f"{path}, which has a {type(found).__name__}",
        )
    return found


def _array(value):
    """Return a tensor, on any device, as a NumPy array."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    return np.asarray(value)


def _parts(model):
    """Yield `(fastMRI's name, its shape, function that assigns it)`."""
    if not isinstance(model, VarNet):
        yield from _unet(model, "")
        return
    maps = model.sensitivities
    if isinstance(maps, SensitivityMaps) and maps.network is not None:
        if maps.residual or maps.needs_maps:
            raise invalid(
                "model",
                "maps that are estimated from the calibration region and are "
                "the output of their network, as in fastMRI",
                found=f"residual={maps.residual}, "
                f"calibration={maps.calibration}",
            )
        yield from _unet(maps.network, "sens_net.norm_unet.unet.")
    steps = ops.convert_to_numpy(model.steps).copy()
    for i, network in enumerate(model.networks):

        def assign(value, i=i):
            steps[i] = value[0]
            model.steps.assign(steps)

        yield f"cascades.{i}.dc_weight", (1,), assign
        yield from _unet(network, f"cascades.{i}.model.unet.")


def _unet(network, prefix):
    layers = {layer.name: layer for layer in getattr(network, "layers", [])}
    depth = sum(name.startswith("pool_") for name in layers)
    names = {"bottom_conv_1": "conv.layers.0", "bottom_conv_2": "conv.layers.4"}
    for scale in range(depth):
        # The way up counts from the coarsest scale.
        step = depth - 1 - scale
        up = f"up_conv.{step}" + (".0" if scale == 0 else "")
        names |= {
            f"down_{scale}_conv_1": f"down_sample_layers.{scale}.layers.0",
            f"down_{scale}_conv_2": f"down_sample_layers.{scale}.layers.4",
            f"upsample_{scale}": f"up_transpose_conv.{step}.layers.0",
            f"up_{scale}_conv_1": f"{up}.layers.0",
            f"up_{scale}_conv_2": f"{up}.layers.4",
        }
    names["output"] = f"up_conv.{depth - 1}.1"
    if not depth or not names.keys() <= layers.keys():
        raise invalid(
            "model",
            "`fastmri_unet`, `norm_unet`, or a `VarNet` of `norm_unet`",
            found=repr(network.name),
        )
    for ours, theirs in names.items():
        layer = layers[ours]
        kernel = layer.kernel
        yield (
            f"{prefix}{theirs}.weight",
            tuple(kernel.shape[i] for i in (3, 2, 0, 1)),
            # (out, in, h, w) and, transposed, (in, out, h, w): both reversed.
            lambda value, kernel=kernel: kernel.assign(
                value.transpose(2, 3, 1, 0)
            ),
        )
        if layer.use_bias:
            yield f"{prefix}{theirs}.bias", layer.bias.shape, layer.bias.assign


def _check(arrays, shapes):
    problems = {
        "missing": [n for n in shapes if n not in arrays],
        "unexpected": [n for n in arrays if n not in shapes],
        "of another shape": [
            f"{n} {arrays[n].shape}, not {tuple(shapes[n])}"
            for n in shapes
            if n in arrays and arrays[n].shape != tuple(shapes[n])
        ],
    }
    found = [
        f"{len(names)} {problem}, such as {names[0]}"
        for problem, names in problems.items()
        if names
    ]
    if found:
        raise invalid(
            "weights",
            f"the {len(shapes)} weights of the same model in fastMRI",
            found="; ".join(found),
        )
