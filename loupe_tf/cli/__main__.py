import sys

from loupe_tf.cli import main

sys.exit(main())
