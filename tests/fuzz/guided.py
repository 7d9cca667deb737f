"""One target under libFuzzer, which looks for inputs that reach new branches: `python -m tests.fuzz.guided TARGET …`.

The words after the target are libFuzzer's own. It stops at the first finding,
and leaves the input in a file.
"""

import random
import sys

import atheris

# Whatever is to be guided by must be imported here, and nowhere before.
with atheris.instrument_imports(include=["backbone_bench", "tomllib"]):
    from tests.fuzz.targets import TARGETS, Target, told

_PLAIN = 0.1  # of the changes are libFuzzer's own, to the bytes


def fuzz(target: Target, words: list[str]) -> None:
    """Never returns: libFuzzer ends the process."""

    def mutate(text: bytes, most: int, seed: int) -> bytes:
        chance = random.Random(seed)
        if chance.random() < _PLAIN:
            return atheris.Mutate(text, most)
        return target.nearly(text, chance)[:most]

    atheris.Setup([sys.argv[0], *words], lambda text: told(target.read, text), custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    fuzz(TARGETS[sys.argv[1]], sys.argv[2:])
