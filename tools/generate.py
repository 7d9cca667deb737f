"""Every generated file of the repository, and whether it is current.

`python -m tools.generate` writes them, `--check` names the stale ones and ends
with 1. Nothing here takes a clock: the page of what was measured is made from the records that `tools.measure` wrote.
"""

import argparse
import difflib
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from tools import blocks, catalogue, claims_page, measured, measured_claims, zoo_page

ROOT = Path(__file__).parent.parent

# A page's generated parts stand between these two comments.
BLOCK = re.compile(r"(<!-- generated: (?P<name>[^>]+?) -->\n).*?(<!-- end -->)", re.DOTALL)


def whole_files() -> dict[str, Callable[[], str]]:
    """Files that are generated from end to end, in the order in which they build on each other."""
    return {
        "backbone_bench/zoo/catalogue.json": catalogue.text,
        "results/static.md": zoo_page.text,
        "results/plots/point.svg": zoo_page.picture,
        "results/claims.md": claims_page.page,
        **measured.files(),
        **measured_claims.files(),
    }


def pages() -> Iterable[Path]:
    """Pages that may have generated parts."""
    return [*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md")]


def refreshed(page: str) -> str:
    """The page with every generated part made anew."""
    return BLOCK.sub(lambda match: f"{match[1]}{blocks.make(match['name'])}{match[3]}", page)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; name the stale files and end with 1")
    check = parser.parse_args().check
    stale = [name for name, make in whole_files().items() if _renew(ROOT / name, make(), check=check)]
    stale += [str(page.relative_to(ROOT)) for page in pages() if _renew(page, refreshed(page.read_text()), check=check)]
    for name in stale:
        print(f"{name}: {'stale, run `make results`' if check else 'written'}")
    return 1 if check and stale else 0


def _renew(file: Path, text: str, *, check: bool) -> bool:
    """Whether the file was not as it should be; it is now, unless that was only to be checked."""
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
