"""Run one target under libFuzzer, which searches for inputs that reach new branches.

`python -m tests.fuzz.guided TARGET …`: the arguments after the target are
those of libFuzzer. It stops at the first finding and leaves the input in a file.
"""

import random
import sys

import atheris

# Only modules that are first imported here are instrumented.
with atheris.instrument_imports(include=["backbone_bench", "tomllib"]):
    from tests.fuzz.targets import TARGETS, Target, refusal

_PLAIN = 0.1  # share of mutations that libFuzzer itself makes, on the bytes


def fuzz(target: Target, words: list[str]) -> None:
    """Fuzz the target. Never returns: libFuzzer ends the process."""

    def mutate(text: bytes, most: int, seed: int) -> bytes:
        chance = random.Random(seed)
        if chance.random() < _PLAIN:
            return atheris.Mutate(text, most)
        return target.nearly(text, chance)[:most]

    atheris.Setup([sys.argv[0], *words], lambda text: refusal(target.read, text), custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    fuzz(TARGETS[sys.argv[1]], sys.argv[2:])
