"""Reports of verdicts on claims: tables, and the working of one claim."""
