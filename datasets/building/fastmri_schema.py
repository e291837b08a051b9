"""What all files in fastMRI's schema that are written here have."""

from xml.etree import ElementTree

from loupe_tf.checks import invalid

# The voxels of k-space that states none, in mm.
PIXEL, THICKNESS = 0.4375, 3


def check_recon_size(recon_size, size):
    """Refuse a reconstruction that is larger than k-space."""
    if recon_size[0] > size[0] or recon_size[1] > size[1]:
        raise invalid(
            "recon_size",
            f"a size no larger than that of k-space, {size}",
            recon_size,
        )


def crop(x, size):
    """Crop `(..., H, W)` to the centre, as fastMRI's `center_crop` does."""
    y, x0 = ((n - m) // 2 for n, m in zip(x.shape[-2:], size))
    return x[..., y : y + size[0], x0 : x0 + size[1]]


def view_of(size):
    """The field of view of k-space `(H, W)` that states none, in mm."""
    return PIXEL * size[0], PIXEL * size[1], THICKNESS


def make_header(size, recon_size, coils, acquired, view, **system):
    """The parts of the XML header that fastMRI's files and readers use."""
    system = {k: v for k, v in system.items() if v is not None}

    def add(parent, tag, **values):
        element = ElementTree.SubElement(parent, tag)
        for key, value in values.items():
            ElementTree.SubElement(element, key).text = str(value)
        return element

    namespace = "http://www.ismrm.org/ISMRMRD"
    root = ElementTree.Element("ismrmrdHeader", xmlns=namespace)
    # In the order of the schema.
    system["receiverChannels"] = coils
    add(root, "acquisitionSystemInformation", **system)
    encoding = add(root, "encoding")
    for name, (rows, columns) in (
        ("encodedSpace", size),
        ("reconSpace", recon_size),
    ):
        space = add(encoding, name)
        add(space, "matrixSize", x=rows, y=columns, z=1)
        if view is not None:
            # The reconstruction is cropped, with the same pixels.
            x, y = (mm * n / m for mm, n, m in zip(view, (rows, columns), size))
            add(space, "fieldOfView_mm", x=x, y=y, z=view[2])
    limits = add(encoding, "encodingLimits")
    add(
        limits,
        "kspace_encoding_step_1",
        minimum=0,
        maximum=acquired.stop - acquired.start - 1,
        center=size[1] // 2 - acquired.start,
    )
    ElementTree.SubElement(encoding, "trajectory").text = "cartesian"
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True)
