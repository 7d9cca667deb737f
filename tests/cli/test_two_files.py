"""Two files in one command, each with its own `blocks.py`."""

import json

from tests.zoo.test_neighbours import folder


def test_both_rows_of_one_command_are_right(bench, tmp_path):
    old, new = folder(tmp_path / "old", 8), folder(tmp_path / "new", 16)
    shown = bench("count", f"{old}:Net", f"{new}:Net", "--input", "3x32x32", "-f", "json")
    assert shown.code == 0, shown.err
    assert [record["cost"]["params"] for record in json.loads(shown.out)["records"]] == [224, 448]
