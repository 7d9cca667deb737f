"""What claims are judged by: counts made on demand, records of ours, published measurements."""
