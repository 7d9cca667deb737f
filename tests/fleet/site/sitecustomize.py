"""Start-up of every Python of a virtual node, which has this folder in PYTHONPATH: stand-ins for what takes long.

With FLEET_ROW=stand_in, the profiler of a row is that of `tests.run.stand_in`. With FLEET_ROW=SECONDS, a row has no
process at all, and sleeps so long: only the engine is left to be measured.
"""

import os
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import spec_from_loader

ROW = os.environ.get("FLEET_ROW", "")


class StandIn(Loader):
    """Fills the module of the profiler."""

    def exec_module(self, module):
        from tests.fleet import rows
        from tests.run import stand_in

        vars(stand_in).update(naps=rows.naps, sleeps=rows.sleeps, shows=rows.shows)
        vars(module).update(profile=stand_in.profile, resolve=stand_in.resolve)


class Sleeper(Loader):
    """Loads the module of the runner, and gives it rows that only sleep."""

    def __init__(self, loader):
        self.loader = loader

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        self.loader.exec_module(module)
        from tests.fleet.site import sleeping  # imports the module

        module.started = sleeping.started


class Instead(MetaPathFinder):
    """Finds the stand-ins."""

    def find_spec(self, name, path, target=None) -> ModuleSpec | None:
        if name == "backbone_bench.profiler" and ROW == "stand_in":
            return spec_from_loader(name, StandIn())
        if name == "backbone_bench.run.runner" and ROW[:1].isdecimal():
            spec = PathFinder.find_spec(name, path)
            assert spec is not None
            spec.loader = Sleeper(spec.loader)
            return spec
        return None


sys.meta_path.insert(0, Instead())
