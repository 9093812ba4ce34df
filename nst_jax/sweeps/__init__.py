"""Sweeps: what to run, in which groups, where; and what they leave to look at."""
