"""The templates of the page: Jinja with autoescape, and control characters made visible."""

from functools import cache
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template

from backbone_bench.report.tables import escape


def asset(name: str) -> str:
    """Read a file that the page is made of."""
    return files("backbone_bench.pages").joinpath("assets", name).read_text(encoding="utf-8")


def template(name: str) -> Template:
    """The template of this name; its macros are functions of `template(name).module`."""
    return _jinja().get_template(name)


@cache
def _jinja() -> Environment:
    jinja = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, loader=FunctionLoader(asset)
    )
    jinja.filters["visible"] = lambda text: escape.visible(str(text))
    return jinja
