"""Losses: one file per style loss and per term, the objective that sums them, and how it is evaluated."""
