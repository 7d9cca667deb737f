"""Models of the user: two files in one command, each with its own `blocks.py`, and models that end the process."""

import json

import pytest

from tests.zoo.test_neighbours import folder


def test_both_rows_of_one_command_are_right(bench, tmp_path):
    old, new = folder(tmp_path / "old", 8), folder(tmp_path / "new", 16)
    shown = bench("count", f"{old}:Net", f"{new}:Net", "--input", "3x32x32", "-f", "json")
    assert shown.code == 0, shown.err
    assert [record["cost"]["params"] for record in json.loads(shown.out)["records"]] == [224, 448]


ENDS = """
import os
from torch import nn

{at_import}

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        {at_build}
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        {at_call}
        return self.conv(x)
"""


@pytest.mark.parametrize("place", ["at_import", "at_build", "at_call"])
@pytest.mark.parametrize("command", ["count", "gate"])
def test_a_model_that_ends_the_process_is_no_success(bench, tmp_path, place, command):
    lines = dict.fromkeys(("at_import", "at_build", "at_call"), "pass") | {place: "os._exit(0)"}
    net, report = tmp_path / "net.py", tmp_path / "g.md"
    net.write_text(ENDS.format(**lines))
    words = {
        "count": ("count", f"{net}:Net", "--input", "3x8x8"),
        "gate": ("gate", "--exact", "--update-baseline", "--baseline", str(tmp_path / "b.json"), "-o", str(report),
                 "--", f"{net}:Net", "--input", "3x8x8"),
    }  # fmt: skip
    shown = bench(*words[command])
    assert shown.code in (2, 3), shown
    assert "exit(0)" in shown.err + shown.out  # Markdown escapes the underscore


PRINTS = """
import os
from torch import nn
print("while importing")

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        os.write(1, b"as C does\\n")
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        print("while counting")
        return self.conv(x)
"""


SHAPE = ("--input", "3x8x8")


@pytest.mark.parametrize(
    "words",
    [
        ("count", "{net}:Net", *SHAPE, "-f", "json"),
        ("run", "{net}:Net", *SHAPE, "--quick", "--in-process", "-d", "cpu", "-f", "json"),
        ("check", "{net}:Net", "--input-size", "8", "--params", "112", "-f", "json"),
        (
            "gate",
            "--exact",
            "--update-baseline",
            "--baseline",
            "{base}",
            "-f",
            "json",
            "--",
            "{net}:Net",
            "--input",
            "3x8x8",
        ),
    ],
    ids=lambda words: words[0],
)
def test_what_a_model_prints_is_no_part_of_the_result(bench, tmp_path, words):
    net = tmp_path / "net.py"
    net.write_text(PRINTS)
    shown = bench(*(word.format(net=net, base=tmp_path / "b.json") for word in words))
    assert shown.code == 0, shown.err
    assert json.loads(shown.out)
    for printed in ("while importing", "as C does", "while counting"):
        assert printed in shown.err
