"""Jobs become records, each in a fresh process: both ends of the pipe, sweeps, and what was done already."""
