"""Statistics of measurements: confidence intervals, paired ratios with p-values, and rank correlation."""
