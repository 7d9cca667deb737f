"""The regression gate: compare a baseline with the current state, base with head."""
