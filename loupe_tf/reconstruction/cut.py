from loupe_tf.layers import (
    FFT,
    IFFT,
    CombineCoils,
    ConcatenateZero,
    ConjugateFill,
    DataConsistency,
    ReceiverNoise,
    UnderSample,
)


def check_cut(model):
    """Refuse a model whose second half is not that of a `loupe_model`.

    `Network` cuts models by the names of layers. What it feeds to the second
    half is right if those layers measure as `loupe_model` does: by these
    classes, in this order, with these flags.

    Args:
        model: Functional `keras.Model` with a layer `under_sample_img`, or one
            that measures nothing.

    Raises:
        ValueError: If it measures in another way.
    """
    graph = getattr(model, "_functional", model)  # That of a Sequential.
    every = [n for nodes in graph._nodes_by_depth.values() for n in nodes]
    nodes = {}
    for node in every:
        nodes.setdefault(node.operation.name, []).append(node)
    made_by = {id(x): node for node in every for x in node.outputs}

    def refuse(reason):
        raise ValueError(
            "Invalid value for argument `model`. Expected one that "
            "`loupe_model` has made, since models of images are cut where its "
            "layers are. For a model of your own give the part from the "
            "adjoint image on, (batch, H, W, 2), without `UnderSample`, as a "
            f"`keras.Model` of its own. Received: {model.name!r}, in which "
            f"{reason}"
        )

    def the(name, *kinds):
        found = nodes.get(name, [])
        if len(found) != 1 or type(found[0].operation) not in kinds:
            expected = " or ".join(kind.__name__ for kind in kinds)
            refuse(f"the layer {name!r} is not one {expected}")
        return found[0]

    def before(node, *kinds, number=0):
        """The node before, where it is of one of the kinds."""
        source = made_by.get(id(node.input_tensors[number]))
        if source is None or not isinstance(source.operation, kinds):
            expected = " or ".join(kind.__name__ for kind in kinds)
            refuse(f"no {expected} comes before {node.operation.name!r}")
        return source

    if "under_sample_img" not in nodes:
        if any(isinstance(x, UnderSample) for x in _flatten(model)):
            refuse("`UnderSample` is under a name of its own")
        return
    sample = the("under_sample_kspace", UnderSample)
    image = the("under_sample_img", IFFT, CombineCoils)
    several = isinstance(image.operation, CombineCoils)
    inverse = before(image, IFFT) if several else image
    if inverse.input_tensors[0] is not sample.outputs[0]:
        refuse("'under_sample_kspace' does not lead to 'under_sample_img'")
    flags = [sample.operation.centered, inverse.operation.centered]
    source = made_by[id(sample.input_tensors[0])]
    if isinstance(source.operation, ReceiverNoise):
        source = made_by[id(source.input_tensors[0])]
    inputs = {id(x) for x in model.inputs}
    if not several:
        if not isinstance(source.operation, FFT):
            refuse("no FFT comes before 'under_sample_kspace'")
        flags.append(source.operation.centered)
        source = made_by[id(source.input_tensors[0])]
        if isinstance(source.operation, ConcatenateZero):
            source = made_by[id(source.input_tensors[0])]
    elif id(image.input_tensors[1]) not in inputs:
        refuse("the maps of 'under_sample_img' are no input")
    if id(source.outputs[0]) not in inputs:
        refuse(f"{source.operation.name!r} changes what is measured")
    mask = sample.input_tensors[1]
    fills = [n for n in every if isinstance(n.operation, ConjugateFill)]
    if any(node.outputs[0] is not mask for node in fills):
        refuse("a mask is filled that 'under_sample_kspace' does not use")
    for node in every:
        if isinstance(node.operation, DataConsistency):
            _, measured, used = node.input_tensors
            if measured is not sample.outputs[0] or used is not mask:
                refuse(
                    f"{node.operation.name!r} does not use the k-space and the "
                    "mask of 'under_sample_kspace'"
                )
            # That of one coil is fed with DC in the corner.
            flags += [node.operation.centered, several]
    if len(set(flags)) > 1 or (several and not flags[0]):
        refuse(
            "the layers that measure, and those of data consistency, are not "
            f"all of centered={several}"
        )


def _flatten(model):
    for layer in model.layers:
        yield layer
        if hasattr(layer, "layers"):
            yield from _flatten(layer)
