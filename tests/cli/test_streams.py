"""Standard streams that are closed, full or in a narrow encoding: one line at most, no traceback."""

import subprocess
import sys

import pytest

BENCH = f"{sys.executable} -m backbone_bench"


def shell(command):
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("command", "code", "out", "err"),
    [
        (f"{BENCH} list resnet50 >&-", 0, "", ""),
        (f"{BENCH} list nothing* >&- 2>&- <&-", 2, "", ""),
        (f"{BENCH} list nothing* 2>&-", 2, "", ""),
        (f"{BENCH} list nothing* 2> /dev/full", 2, "", ""),
        (f"{BENCH} list > /dev/full", 2, "", "bench: Cannot print the result: No space left on device."),
    ],
)
def test_a_stream_that_takes_nothing_changes_no_other_and_brings_no_traceback(command, code, out, err):
    output = shell(command)
    assert (output.returncode, output.stdout) == (code, out)
    assert output.stderr.startswith(err)
    assert output.stderr.count("\n") == bool(err)


def test_what_an_encoding_lacks_is_shown_as_an_escape(tmp_path):
    from backbone_bench.records import store
    from tests.report.samples import RESNET50

    store.write(tmp_path / "r.json", store.dumps([RESNET50]))
    output = shell(f"PYTHONIOENCODING=ascii {BENCH} compare {tmp_path}/r.json -f md")
    assert (output.returncode, output.stderr) == (0, "")
    assert r"\xb1" in output.stdout


def test_words_that_are_no_text_are_refused_before_anything_is_done(bench):
    output = bench("run", "resnet18", "-o", "\udcff.json")
    assert (output.code, output.out) == (2, "")
    assert output.err.startswith(r"bench: \udcff.json: not valid text in this locale")


def test_a_folder_that_was_removed_is_told(tmp_path):
    output = shell(
        f"mkdir {tmp_path}/gone; cd {tmp_path}/gone; rmdir ../gone; {sys.executable} -P -m backbone_bench list"
    )
    assert (output.returncode, output.stdout) == (2, "")
    assert output.stderr == "bench: The working folder has been removed: change to one that exists.\n"
