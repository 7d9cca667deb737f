"""Judges of claims: checks of counts, formulas and measurements, known causes, and the plan of measurements."""
