"""Models that can be profiled: the zoo's networks and the user's own. Only `catalogue` works without torch."""
