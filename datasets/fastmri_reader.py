"""Reading the images of fastMRI's files as volumes."""

from loupe_tf.datasets.fastmri_file import FastmriFile
from loupe_tf.datasets.volume import Volume
from loupe_tf.datasets.volume_header import Header


def open_fastmri(path):
    """Opens the reconstruction in an HDF5 file of fastMRI.

    Returns:
        A `Header`, and a function without arguments that reads the `Volume`.
    """

    def read():
        with FastmriFile(path) as file:
            multicoil = file.target_name == "reconstruction_rss"
            source = "raw_multicoil" if multicoil else "emulated_singlecoil"
            return Volume(
                images=file.target(),
                stored="float32",
                patient=file.patient,
                acquisition=file.acquisition,
                spacing=file.voxel_size,
                source="simulated" if file.simulated else source,
                combined_by="rss" if multicoil else "emulated_singlecoil",
            )

    with FastmriFile(path) as file:
        return Header(file.target_shape, file.patient, file.voxel_size), read
