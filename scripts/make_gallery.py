"""Update the figures of docs/gallery.md with the commands of that page.

    python scripts/make_gallery.py

The script runs each command of the page unchanged. It then copies each figure
gallery/NAME.png of the page from runs/gallery/NAME.png, where a command has
written it. Finished runs are not repeated: delete runs/gallery to repeat them.
"""

import pathlib
import re
import shutil
import subprocess
import sys

from loupe_tf.command_line import argument_parser

ROOT = pathlib.Path(__file__).parents[1]
PAGE = ROOT / "docs/gallery.md"


def main(arguments=None):
    argument_parser(__doc__).parse_args(arguments)
    text = PAGE.read_text(encoding="utf-8")
    for block in re.findall(r"^```bash\n(.*?)^```$", text, re.M | re.S):
        print(block, flush=True)
        status = subprocess.run(["bash", "-ec", block], cwd=ROOT).returncode
        if status:
            return status
    for figure in re.findall(r"^!\[.*\]\((gallery/.*\.png)\)$", text, re.M):
        path = PAGE.parent / figure
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / "runs" / figure, path)
        print(figure)
    return 0


if __name__ == "__main__":
    sys.exit(main())
