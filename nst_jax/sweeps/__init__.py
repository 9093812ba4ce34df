"""Sweeps: planning of runs, grouping, execution, and the gallery of results."""
