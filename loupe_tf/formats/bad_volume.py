from loupe_tf.reading import BadFileError


class BadVolumeError(BadFileError):
    """A volume that is truncated, unreadable, of a wrong shape or not finite.

    Args:
        path: The volume, as the builder names it: mostly the path of a file.
        reason: String, what is wrong with it: one sentence.
    """

    kind = "volume"

    @property
    def volume(self):
        """The volume, as the builder names it."""
        return self.path
