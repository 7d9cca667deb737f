"""`results/static.md`: the whole zoo, counted."""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from backbone_bench import store
from backbone_bench.report.static import static


def text() -> str:
    """The page, from fresh counts."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "zoo.jsonl"
        words = ["count", "--all", "-o", str(file)]
        subprocess.run([sys.executable, "-m", "backbone_bench", *words], stdout=subprocess.DEVNULL, check=True)
        return static(store.read([file], sys.exit))
