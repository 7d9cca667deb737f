"""The networks, one file a family, each paper's table as a table."""
