import re

from loupe_tf.formats import load_mask, save_mask
from loupe_tf.masks import random_lines


def test_text_of_0_1_has_no_checksum(tmp_path):
    mask = random_lines((12, 20), 4, 2)
    for name, pattern in (("m.json", ' "crc32": .*\n'), ("m.csv", "# crc.*\n")):
        save_mask(mask, tmp_path / name)
        text, count = re.subn(pattern, "", (tmp_path / name).read_text())
        assert count == 1
        (tmp_path / name).write_text(text)
        assert load_mask(tmp_path / name) == mask
