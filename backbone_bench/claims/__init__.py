"""Published claims: what papers say about networks, and the checks that judge it."""
