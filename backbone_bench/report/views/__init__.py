"""What a table shows of records: columns, conditions, comparisons, layers, histories."""
