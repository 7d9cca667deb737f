"""`bench claims` and `bench check`: data on stdout, and exit code 1 for an unexpected verdict."""

import csv
import io
import json
import subprocess
import sys
from itertools import takewhile
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from backbone_bench.claims.report.tables import answer
from backbone_bench.records import store
from backbone_bench.report.tables.terminal import terminal
from tests.claims.data.test_files import file
from tests.report.samples import gpu_record
from tools import claims_page


def test_a_figure_that_holds_ends_with_0_and_one_that_does_not_with_1_and_its_cause(bench):
    assert bench("check", "resnet50", "--flops", "4.1G", "--params", "25.6M").code == 0
    done = bench("check", "resnet50", "--flops", "8.2G")
    assert done.code == 1
    assert "a multiply-add is counted as two: 8.178 G" in done.out
    assert bench("check", "resnet50", "--flops", "5.0G").code == 1


def test_a_claim_that_counts_two_per_multiply_add_says_so(bench):
    assert bench("check", "darknet19", "--flops", "7.29G", "--flops-convention", "2").code == 0
    done = bench("check", "darknet53", "--flops", "18.7G", "--flops-convention", "2")
    assert done.code == 1
    assert "whole last map, before the pool: 18.70 G" in done.out


def test_an_exact_figure_is_held_to_its_last_digit(bench):
    assert bench("check", "vovnet39", "--flops", "7072227328", "--access", "37853224").code == 0
    assert bench("check", "vovnet39", "--flops", "7072227329").code == 1
    assert bench("check", "vovnet39", "--flops", "7072227329", "--tolerance", "0.1%").code == 0


@pytest.mark.parametrize(
    "words",
    [
        ["check", "resnet50"],
        ["check", "resnet5", "--flops", "4G"],
        ["check", "resnet50", "--flops", "4 thousand"],
        ["check", "resnet50", "--flops", "4G", "--tolerance", "some"],
        ["claims", "resnet50-flop"],
        ["claims", "--file", "none.toml"],
        ["claims", "vgg", "--format", "html"],
    ],
    ids=" ".join,
)
def test_words_that_say_nothing_end_with_2_and_one_line(bench, words):
    done = bench(*words)
    assert (done.code, done.out) == (2, "")
    assert len(done.err.splitlines()) == 1


def test_a_paper_is_a_table_and_an_id_is_the_working(bench):
    table = bench("claims", "vgg", "--format", "md").out
    assert "| vgg-three3x3-vs-7x7 |" in table
    working = bench("claims", "resnet50-flops").out
    assert "resnet50@224: FLOPs 4.089 G (multiply-adds of convolutions and matrix products" in working
    assert "resnet50_v1@224: FLOPs 3.858 G" in working
    assert "published 3.800 G ±2 %: one decimal, truncated" in working


def test_every_form_says_the_same_verdicts(bench):
    output = {
        form: bench("claims", "resnext29-params", "-f", form).out for form in ("json", "jsonl", "csv", "md", "table")
    }
    (claim,) = json.loads(output["json"])["claims"]
    assert claim == json.loads(output["jsonl"])
    assert claim["verdict"] == "holds"
    assert claim["checks"][0]["finding"]["found_value"] == 34_426_698
    csv_form = bench("claims", "resnext", "-f", "csv").out
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(csv_form))}
    assert rows["resnext29-params"]["verdict"] == "holds"
    assert "resnext29-params" in output["md"]
    assert "resnext29-params" in output["table"]


def test_a_verdict_that_is_not_expected_is_news(bench, tmp_path):
    mine = tmp_path / "mine.toml"
    check = 'kind = "bound"\nmetric = "params"\nof = "resnet50"\nbelow = {}'
    mine.write_text(file(check.format("1e6")))
    done = bench("claims", "--file", mine)
    assert done.code == 1
    assert "one: fails, expected holds" in done.err
    mine.write_text(file(check.format("26e6")))
    assert bench("claims", "--file", mine).code == 0
    mine.write_text(file(check.format("1e6"), expects="fails"))
    assert bench("claims", "--file", mine).code == 0


def test_the_sentence_of_a_users_claim_cannot_break_the_table(bench, tmp_path):
    mine = tmp_path / "mine.toml"
    text = file('kind = "needs"\nneeds = "time"', expects="unmeasured")
    mine.write_text(text.replace('"Said."', r'"| a |<b>\n\u001b[31m"'))
    done = bench("claims", "--file", mine, "--format", "md")
    assert done.code == 0
    assert r"\| a \|\<b>" in done.out
    assert "\x1b" not in bench("claims", "one", "--file", mine).out


def test_a_claim_judged_by_records_never_loads_torch(tmp_path):
    records = tmp_path / "some.jsonl"
    made = [gpu_record("densenet201", 1, 0.002), gpu_record("densenet161", 1, 0.001)]
    store.write(records, store.dump_lines(made))
    code = (
        "import sys, contextlib, io\n"
        f"sys.argv = ['bench', 'claims', 'article-densenet-slower-than-resnet', '--records', {str(records)!r}]\n"
        "from backbone_bench.cli import main\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n"
        "    main()\n"
        "print('torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_records_judge_and_publications_stand_apart(bench, tmp_path):
    records = tmp_path / "some.jsonl"
    made = [
        gpu_record(model, 1, seconds)
        for model, seconds in (("densenet121", 0.003), ("densenet201", 0.003), ("densenet161", 0.003),
                               ("resnet50", 0.001), ("resnet101", 0.001))
    ]  # fmt: skip
    store.write(records, store.dump_lines(made))
    done = bench("claims", "article-densenet-slower-than-resnet", "--records", records, "--format", "json")
    (claim,) = json.loads(done.out)["claims"]
    assert (claim["verdict"], claim["published"]) == ("holds", "holds")
    assert "Example GPU 9" in claim["checks"][0]["finding"]["working"][0]
    assert all("Example" not in line for line in claim["checks"][0]["published"]["working"])


def test_the_page_of_results_holds_every_claim(outcomes, evidence):
    page = claims_page.render(list(outcomes.values()), evidence.publications)
    assert all(f"| {name} |" in page for name in outcomes)
    assert "## Measured by others" in page
    assert "Apache-2.0" in page


@pytest.fixture
def files(tmp_path) -> list[Path]:
    """Two files that decide a claim only together."""
    made = [gpu_record("densenet201", 1, 0.002), gpu_record("densenet161", 1, 0.001)]
    paths = [tmp_path / "one.jsonl", tmp_path / "two.jsonl"]
    for path, record in zip(paths, made, strict=True):
        store.write(path, store.dump_line(record))
    return paths


@pytest.mark.parametrize("order", ["claim first", "files first"])
def test_several_files_of_records_follow_one_option(bench, files, order):
    claim, records = ["densenet201-slower-than-161"], ["--records", *files]
    words = [*claim, *records] if order == "claim first" else [*records, *claim]
    (found,) = json.loads(bench("claims", *words, "--format", "json").out)["claims"]
    assert found["id"] == claim[0]
    assert "Example GPU 9" in json.dumps(found["checks"])


def brief(found):
    """What a terminal gets of these results."""
    made = answer(found, wide=False)
    assert made.brief is not None
    return made.brief()


@pytest.mark.parametrize("width", [80, 120, 200])
def test_a_terminal_has_one_line_a_claim_and_what_fails_stands_first(outcomes, width):
    found = list(outcomes.values())
    screen = Console(file=io.StringIO(), width=width, color_system=None)
    text = terminal(brief(found), screen).splitlines()
    assert max(map(cell_len, text)) <= width
    rule = next(number for number, line in enumerate(text) if line.startswith("──"))
    rows = list(takewhile(lambda line: line.startswith(" "), text[rule + 1 :]))
    assert len(rows) == len(found)
    verdicts = [row.split()[0] for row in rows]
    assert list(dict.fromkeys(verdicts)) == ["fails", "explained", "unmeasured", "holds"]
    assert "found" in text[rule - 1]


def test_a_verdict_has_a_colour_and_piped_output_a_line_a_paper(outcomes, bench):
    screen = Console(file=io.StringIO(), width=80, force_terminal=True, color_system="standard")
    text = terminal(brief(list(outcomes.values())), screen)
    assert "\x1b[1;31mfails" in text
    assert "\x1b[32mholds" in text
    done = bench("claims", "vgg", "inception_v3")
    assert [line.partition(" (")[0] for line in done.err.splitlines()] == ["[1/2] VGG", "[2/2] Inception v3"]


def test_measurements_by_others_are_listed_on_request(bench):
    narrow = bench("claims", "vovnet", "--format", "table").out
    assert "findings; --wide lists them." in narrow
    assert "Published measurements, not ours." not in narrow
    for words in (["--format", "table", "--wide"], ["--format", "md"]):
        assert "Published measurements, not ours." in bench("claims", "vovnet", *words).out


def test_a_file_holds_the_same_whatever_is_printed(bench, tmp_path):
    for form in ("table", "md"):
        bench("claims", "vovnet", "--format", form, "-o", tmp_path / f"{form}.md")
    assert (tmp_path / "table.md").read_text() == (tmp_path / "md.md").read_text()
