import sys

from loupe_tf.cli import main

if __name__ == "__main__":
    sys.exit(main())
