"""`bench report` and `bench compare` as commands: files in, files out, without loading torch."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from backbone_bench.base.errors import UserError
from backbone_bench.pages import folder
from backbone_bench.pages.folder import Images
from backbone_bench.records import store
from backbone_bench.report.drawing import image
from tests.report.samples import EVERY, RESNET50, UNKNOWN, VOVNET39, cost, counted

ALONE = """
import runpy, sys
try:
    runpy.run_module("backbone_bench", run_name="__main__")
finally:
    assert not {"torch", "matplotlib"} & set(sys.modules), "too much was imported"
"""


def bench(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the program in a process that fails if torch or matplotlib was loaded."""
    return subprocess.run([sys.executable, "-c", ALONE, *words], capture_output=True, text=True, check=False)


@pytest.fixture
def records(tmp_path: Path) -> Path:
    path = tmp_path / "records.jsonl"
    store.write(path, store.dump_lines(EVERY))
    return path


def test_a_report_names_the_files_of_its_records_where_they_are_not_copied(records: Path, tmp_path: Path):
    done = bench("report", str(records), "-o", str(tmp_path / "page"))
    assert (done.returncode, done.stderr) == (0, "")
    assert f"bench rerun {records}" in (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    assert not (tmp_path / "page" / "records.jsonl").exists()


def test_a_report_is_a_page_tables_plots_and_the_whole_records(records: Path, tmp_path: Path):
    done = bench("report", str(records), "-o", str(tmp_path / "a" / "b"), "--copy-records")
    assert (done.returncode, done.stderr) == (0, "")
    folder_made = tmp_path / "a" / "b"
    assert done.stdout.strip() == str(folder_made / "index.html")
    assert store.read([folder_made / "records.jsonl"], pytest.fail) == EVERY
    assert {"index.html", "tables.md", "tables.csv", "plots"} <= {path.name for path in folder_made.iterdir()}
    assert (folder_made / "plots" / "spread.svg").exists()


@pytest.mark.parametrize(("params", "holds"), [(143_667_240, True), (160_000_000, False)])
def test_a_claim_is_judged_by_the_counts_of_the_records(tmp_path: Path, params: int, holds: bool):
    vgg19 = counted("vgg19", 19_632_062_464, cost=cost(19_632_062_464, params=params))
    page = folder.write([vgg19], tmp_path).read_text(encoding="utf-8")
    assert ("vgg-E-params: holds" in page) == holds


def test_png_and_pdf_come_beside_svg_where_they_are_asked_for(tmp_path: Path):
    folder.write([RESNET50, VOVNET39, UNKNOWN], tmp_path, images=Images(("png", "pdf")))
    pictures = sorted(path.name for path in (tmp_path / "plots").iterdir())
    stems = {Path(name).stem for name in pictures}
    assert set(pictures) == {f"{stem}.{form}" for stem in stems for form in ("svg", "png", "pdf")}
    assert "spread" in stems


def test_a_page_of_somebody_else_is_not_overwritten(records: Path, tmp_path: Path):
    (tmp_path / "index.html").write_text("<h1>my site</h1>", encoding="utf-8")
    done = bench("report", str(records), "-o", str(tmp_path))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "not a page of bench report" in done.stderr
    assert (tmp_path / "index.html").read_text(encoding="utf-8") == "<h1>my site</h1>"
    assert not (tmp_path / "plots").exists()


def test_a_page_of_its_own_is_written_again(tmp_path: Path):
    folder.write([RESNET50], tmp_path)
    first = (tmp_path / "index.html").read_text(encoding="utf-8")
    folder.write([VOVNET39], tmp_path)
    assert (tmp_path / "index.html").read_text(encoding="utf-8") != first


def test_a_width_without_an_image_is_refused(records: Path, tmp_path: Path):
    done = bench("report", str(records), "-o", str(tmp_path / "new"), "--plot-width", "85")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "add --png or --pdf" in done.stderr


def test_png_that_cannot_be_drawn_is_found_out_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(image, "available", lambda: False)
    with pytest.raises(UserError, match="matplotlib"):
        folder.write([RESNET50], tmp_path / "new", images=Images(("pdf",)))
    assert not (tmp_path / "new").exists()


def test_a_folder_that_cannot_be_made_is_one_line(records: Path):
    done = bench("report", str(records), "-o", str(records / "below-a-file"))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "Cannot make the folder" in done.stderr


def test_compare_writes_each_form_that_a_suffix_names(records: Path, tmp_path: Path):
    files = [tmp_path / f"out.{suffix}" for suffix in ("md", "csv", "json", "jsonl", "html", "txt")]
    outputs = [word for file in files for word in ("-o", str(file))]
    done = bench("compare", str(records), "--columns", "flops,wall_s", "--sort", "wall_s", *outputs)
    assert (done.returncode, done.stderr) == (0, "")
    assert files[0].read_text(encoding="utf-8") == done.stdout  # Markdown, since a pipe is no terminal
    assert store.read(files[2:4], pytest.fail) == (*EVERY, *EVERY)
    assert len(list(csv.DictReader(files[1].read_text(encoding="utf-8").splitlines()))) == len(EVERY)
    assert files[4].read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--columns", "latency"], "No column is called 'latency'."),
        (["--sort", "wall"], "Did you mean 'wall_s'"),
        (["--relative-to", "resnet5"], "Did you mean 'resnet50'?"),
        (["-o", "x.pdf"], "the suffix decides the format"),
        (["--group-by", "paper"], "family"),
    ],
)
def test_a_wrong_word_is_one_clear_message_and_exit_2(records: Path, words: list[str], message: str):
    done = bench("compare", str(records), *words)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == ""


def test_a_file_without_a_record_is_said_so(tmp_path: Path):
    empty = tmp_path / "empty.jsonl"
    empty.write_text("", encoding="utf-8")
    done = bench("compare", str(empty))
    assert (done.returncode, done.stdout) == (2, "")
    assert "No record in" in done.stderr
