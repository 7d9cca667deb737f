"""Evidence for claims: counts made on demand, our own records, and published measurements."""
