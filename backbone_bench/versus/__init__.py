"""Compare jobs: measure them in rounds of processes that take turns, decide by a rule, and report the verdict."""
