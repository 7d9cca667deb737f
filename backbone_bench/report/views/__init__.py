"""Tables of records: their columns, conditions, comparisons, layers and histories."""
