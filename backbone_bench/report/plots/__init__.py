"""The plots of records, and the choice of those that a set of records has enough data for."""
