import platform
import subprocess
import sys
from dataclasses import replace

import torch

from backbone_bench.base.program import __version__
from backbone_bench.run.fleet import versions


def test_the_versions_are_those_that_torch_and_python_give():
    found = versions.here()
    assert found.torch == torch.__version__
    assert found.cuda == torch.version.cuda
    assert found.python == platform.python_version()
    assert found.bench.startswith(__version__)


def test_reading_the_versions_does_not_load_torch():
    command = (
        "import sys; from backbone_bench.run.fleet import versions; versions.here(); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", command], check=False).returncode == 0


def test_a_difference_names_what_is_there_and_what_should_be():
    planned = replace(versions.here(), torch="2.13.0", cuda="13.0")
    here = replace(planned, torch="2.12.1", cuda=None)
    assert planned.differences(here) == ("torch 2.12.1 instead of 2.13.0", "cuda none instead of 13.0")
    assert planned.differences(planned) == ()
