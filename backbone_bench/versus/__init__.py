"""Compare two jobs: measure both in alternating rounds, decide by a rule, and report the verdict."""
