"""The examples in docs/python.md run as they are printed."""

import re
from pathlib import Path

GUIDE = Path(__file__).parents[2] / "docs" / "python.md"


def test_its_examples_run_one_after_the_other(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code = "\n".join(re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE))
    exec(compile(code, GUIDE.name, "exec"), {"__name__": "guide"})
    lines = capsys.readouterr().out.splitlines()
    params, flops = 16 * 3 * 3 * 3 + 2 * 16, 16 * 30 * 30 * 3 * 3 * 3
    assert lines[0].startswith(f"{params} {flops} ")
    assert [" ".join(line.split()[:2]) for line in lines[-2:]] == ["flops explained", "params holds"]
    assert not any("no latency" in line for line in lines)
    assert (tmp_path / "stem.jsonl").exists()
