"""Cache what is computed from large values by which value it is, since hashing and comparing them takes long."""

from typing import Generic, TypeVar

T = TypeVar("T")


class Identical(Generic[T]):
    """A value as a key: equal to no other value, however alike. While a cache keeps the key, the value lives."""

    __slots__ = ("value",)

    def __init__(self, value: T) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Identical) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)
