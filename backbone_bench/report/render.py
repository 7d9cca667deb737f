"""From records to text in one of the formats of `--format`."""

from collections.abc import Callable, Sequence

from backbone_bench.records import Record
from backbone_bench.report.columns import RUN
from backbone_bench.report.tables import Column, Table, tabulate, without_empty


def render(records: Sequence[Record], form: str, columns: Sequence[Column[Record]] = RUN) -> str:
    """Records as `table`, `md` or `csv`."""
    table = tabulate(records, columns)
    return _RENDERERS[form](table)


def _terminal(table: Table) -> str:
    from backbone_bench.report.terminal import terminal  # imports rich

    return terminal([without_empty(table)])


def _markdown(table: Table) -> str:
    from backbone_bench.report.markdown import markdown

    return markdown([without_empty(table)])


def _delimited(table: Table) -> str:
    from backbone_bench.report.delimited import delimited

    return delimited([table])


_RENDERERS: dict[str, Callable[[Table], str]] = {"table": _terminal, "md": _markdown, "csv": _delimited}
