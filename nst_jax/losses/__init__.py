"""Losses: one file per loss, the objective that adds them up, and its evaluation in tiles."""
