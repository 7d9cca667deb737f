"""Generator of all generated files of the repository.

`python -m tools.generate` writes them; `--check` lists the stale ones and exits with 1. Nothing is measured here: the
pages of measurements are made from the records that `tools.measure` and `tools.measured_claims` wrote.
"""

import argparse
import difflib
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from tools import (
    blocks,
    calibrations,
    catalogue,
    claims_page,
    cpu_predictions,
    flow,
    gpu_page,
    measured,
    measured_claims,
    predictions,
    stored_counts,
    terms_figure,
    zoo_page,
)

ROOT = Path(__file__).parent.parent

# A generated block of a page is between these two comments.
BLOCK = re.compile(r"(<!-- generated: (?P<name>[^>]+?) -->\n).*?(<!-- end -->)", re.DOTALL)


def whole_files() -> dict[str, Callable[[], str]]:
    """Files that are generated as a whole, in the order in which they depend on each other."""
    return {
        "backbone_bench/zoo/catalogue.json": catalogue.text,
        "results/static.md": zoo_page.text,
        "results/plots/point.svg": zoo_page.picture,
        "backbone_bench/claims/zoo_counts.json": stored_counts.of_zoo,
        "results/claims.md": claims_page.page,
        "docs/record.svg": flow.picture,
        "docs/predict.svg": terms_figure.picture,
        **measured.files(),
        **measured_claims.files(),
        **gpu_page.files(),
        **calibrations.files(),
        **predictions.files(),
        **cpu_predictions.files(),
    }


def pages() -> Iterable[Path]:
    """Pages that may contain generated blocks."""
    return [*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md")]


def refreshed(page: str) -> str:
    """The page with all its blocks generated again."""
    return BLOCK.sub(lambda match: f"{match[1]}{blocks.make(match['name'])}{match[3]}", page)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; list the stale files and exit with 1")
    check = parser.parse_args().check
    stale = [name for name, make in whole_files().items() if _renew(ROOT / name, make(), check=check)]
    stale += [str(page.relative_to(ROOT)) for page in pages() if _renew(page, refreshed(page.read_text()), check=check)]
    for name in stale:
        print(f"{name}: {'stale, run `make results`' if check else 'written'}")
    return 1 if check and stale else 0


def _renew(file: Path, text: str, *, check: bool) -> bool:
    """Whether the file was stale. It is then written, or with `check` its diff is printed."""
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    if before == text:
        return False
    if check:
        sys.stdout.writelines(difflib.unified_diff(before.splitlines(True), text.splitlines(True), n=0))
    else:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return True


if __name__ == "__main__":
    sys.exit(main())
