from loupe_tf.reading import BadFileError


class BadVolumeError(BadFileError):
    """A volume that is truncated, unreadable, of a wrong shape or not finite.

    Args:
        path: The volume, as the builder names it, usually the path of a file.
        reason: String, the problem, in one sentence.
    """

    kind = "volume"

    @property
    def volume(self):
        """The volume, as the builder names it."""
        return self.path
