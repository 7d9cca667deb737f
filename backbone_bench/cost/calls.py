"""One operation as torch dispatched it."""

from typing import Any, NamedTuple


class OpCall(NamedTuple):
    """An operation with its canonical name, its arguments and its result."""

    func: Any
    op: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    out: Any

    @property
    def changes_first(self) -> bool:
        """Whether the operation changes its first argument."""
        arguments = self.func._schema.arguments
        first = arguments[0].alias_info if arguments else None
        return first is not None and first.is_write
