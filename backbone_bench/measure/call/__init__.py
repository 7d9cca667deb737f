"""One call of a model: its step, weights, precision, and what its failures mean."""
