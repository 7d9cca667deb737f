"""Tables for a paper: booktabs, text that LaTeX prints as it is, and a file that compiles."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from backbone_bench.records import store
from backbone_bench.report.tables.answer import AnswerPart, Heading, ItemList, ListItem, Paragraph, Verbatim
from backbone_bench.report.tables.latex import escaped, latex
from backbone_bench.report.tables.table import without_empty
from backbone_bench.report.views.columns import COMPARE, named
from backbone_bench.report.views.compare import View, compare
from tests.report.samples import EVERY, NASTY, RESNET50, VOVNET39, record

H200 = Path(__file__).parents[3] / "results/records/h200"
SPECIAL = re.compile(r"(?<!\\)[&%$#_{}~^]")


def test_a_table_has_the_rules_of_booktabs_and_a_cell_a_column():
    (table,) = compare([RESNET50, VOVNET39], View(named("model,flops,wall_s"), relative_to="resnet50"))
    text = latex([table])
    assert text.startswith("% Needs \\usepackage{booktabs}.\n")
    heading = r"model & FLOPs (G) & \shortstack[r]{wall latency\\(ms)} \\"
    assert f"\\begin{{tabular}}{{lrr}}\n\\toprule\n{heading}\n\\midrule\n" in text
    assert "vovnet39 & 7.072 (1.73$\\times$) & \\textbf{51.0 (0.715$\\times$)} \\\\" in text


def test_a_table_is_as_wide_as_a_page_and_a_comment_names_what_is_left_out():
    tables = compare([RESNET50, VOVNET39], View(COMPARE))
    text = latex(tables)
    (heading,) = re.findall(r"\\toprule\n(.*)\n\\midrule", text)
    assert 3 < heading.count("&") < 9
    assert re.search(r"% Left out: .*memory access.* --wide shows all, --columns chooses\.", text)
    (whole,) = re.findall(r"\\toprule\n(.*)\n\\midrule", latex(compare([RESNET50, VOVNET39], View(COMPARE, wide=True))))
    assert whole.count("&") > 12


def test_a_reason_is_a_note_under_the_table():
    (table,) = compare(
        [RESNET50, record("few", 4, 1.0, energy=VOVNET39.energy)], View(named("model,wall_s,energy_runs"))
    )
    text = latex([table])
    assert "--\\textsuperscript{1}" in text
    assert "\\textsuperscript{1} nvml\\_missing: libnvidia-ml.so.1 not found" in text


@pytest.mark.parametrize("text", [NASTY, r"\end{table}", "50 %_$&#{}~^", "a\nb"])
def test_no_name_is_a_command(text: str):
    shown = escaped(text)
    plain = re.sub(r"\\(?:text\w+|ldots)\{\}|\$\\?[\w-]+\$|\\[&%$#_{}]", "", shown)
    assert not SPECIAL.search(plain)
    assert "\\" not in plain
    assert "\n" not in shown


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex, of Debian's texlive-latex-recommended")
def test_a_paper_with_every_part_compiles(tmp_path: Path):
    real = store.read([H200 / "batch1.jsonl", H200 / "batch32.jsonl"], warn=pytest.fail)
    tables = [without_empty(table) for table in compare(real, View(COMPARE, pivot="batch"))]
    tables += [without_empty(table) for table in compare(EVERY, View(COMPARE, relative_to="resnet50"))]
    others: list[AnswerPart] = [
        Heading("A_b"),
        Paragraph("50 %"),
        ItemList((ListItem("one", "two", "bench run"),)),
        Verbatim("a\n\nb_c"),
    ]
    parts: list[AnswerPart] = [*tables, *others]
    body = latex(parts)
    packages = r"\documentclass{article}\usepackage{booktabs}\usepackage[T1]{fontenc}"
    paper = rf"{packages}\begin{{document}}{body}\end{{document}}"
    (tmp_path / "paper.tex").write_text(paper, encoding="utf-8")
    words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert not re.findall(r"Overfull \\hbox.* in (?:paragraph|alignment).*", done.stdout)
