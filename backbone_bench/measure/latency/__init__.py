"""Latency of one call: timers, warm-up, stopping rule, and the latency meter."""
