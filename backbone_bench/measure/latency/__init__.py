"""Seconds of a call: timers, warm-up, the rule that stops, and the meter over them."""
