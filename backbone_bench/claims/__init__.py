"""What the papers say, and whether it holds."""
