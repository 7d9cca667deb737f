"""Which plots records are enough for, and what each shows."""
