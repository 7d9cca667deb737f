"""One call of a model: step, weights, precision, and failures."""
