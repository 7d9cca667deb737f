"""What can be profiled. `catalogue` is free of torch; everything else here needs it."""
