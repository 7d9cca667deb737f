"""Which comparisons share the live processes of one rotation, so that each network runs in few of them."""

from collections.abc import Sequence

MOST_LIVE = 8  # processes in one rotation: so many fit into the memory of a usual machine


def packed(pairs: Sequence[tuple[int, int]], most: int) -> list[list[int]]:
    """Put pairs of jobs into groups of at most `most` different jobs.

    Each pair is two places of jobs. A group has the numbers of its pairs; a
    pair goes where it adds the fewest jobs.
    """
    groups: list[tuple[set[int], list[int]]] = []
    for number, pair in enumerate(pairs):
        fitting = [group for group in groups if len(group[0] | {*pair}) <= most]
        if not fitting:
            fitting = [(set(), [])]
            groups += fitting
        jobs, members = min(fitting, key=lambda group: len({*pair} - group[0]))
        jobs.update(pair)
        members.append(number)
    return [members for _, members in groups]
