"""Losses: one file per loss, the objective that sums them, and its evaluation in tiles."""
