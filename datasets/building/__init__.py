"""Building TFDS data sets from files of volumes."""
