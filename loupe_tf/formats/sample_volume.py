from loupe_tf.formats.kspace_volume import KspaceVolume
from loupe_tf.reading import BadFileError


class SampleVolume(KspaceVolume):
    """Samples of a non-Cartesian scan in a file, read slice by slice.

    `load_samples` returns it. It is a `KspaceVolume` with shots and samples in
    the place of H and W, and has the trajectory of its slices. A scan of three
    axes is one slice.

    Args:
        path: Path of the file.
        shape: Tuple `(slices, coils, shots, samples)`.
        read: Callable from the index of a slice to its samples, complex
            `(coils, shots, samples)`.
        trajectory: `Trajectory`, the same for all slices.
        close: (Optional) callable, called when the volume is closed.
        slice_spacing: (Optional) distance of the slices in mm.

    Example:

    ```python
    with loupe_tf.formats.load_samples("samples.cfl", "spokes.cfl") as volume:
        print(volume.shape)  # (slices, coils, shots, samples)
        print(volume.trajectory)
    ```
    """

    def __init__(
        self, path, shape, read, trajectory, close=None, slice_spacing=None
    ):
        expected = trajectory.positions.shape[:2]
        if tuple(shape[2:]) != expected:
            raise BadFileError(
                path,
                "Expected {} shots of {} samples, as the trajectory has. "
                "Received: {} of {}".format(*expected, *shape[2:]),
            )
        if trajectory.axes == 3 and shape[0] > 1:
            raise BadFileError(
                path,
                "Expected one volume for a trajectory of three axes. Received: "
                f"{shape[0]} slices",
            )
        view = trajectory.field_of_view
        if trajectory.axes == 3 and trajectory.voxel_size:
            slice_spacing = trajectory.voxel_size[0]
        super().__init__(
            path, shape, read, close, view and view[-2:], slice_spacing
        )
        self.trajectory = trajectory
        """`Trajectory` of every slice."""
