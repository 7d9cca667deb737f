"""The zoo's networks: one file per family, with the paper's table as a table in the code."""
