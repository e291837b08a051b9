"""Read the images of fastMRI's files as volumes."""

from loupe_tf.datasets.building.volume import Volume
from loupe_tf.datasets.building.volume_header import Header
from loupe_tf.formats.fastmri_file import FastmriFile


def open_fastmri(path):
    """Open the reconstruction in an HDF5 file of fastMRI.

    Returns:
        A `Header`, and a function without arguments that reads the `Volume`.
    """

    def read():
        with FastmriFile(path) as file:
            return Volume(
                images=file.target(),
                stored="float32",
                patient=file.patient,
                acquisition=file.acquisition,
                spacing=file.voxel_size,
                source=file.source,
                combined_by=file.combined_by,
            )

    with FastmriFile(path) as file:
        return Header(file.target_shape, file.patient, file.voxel_size), read
