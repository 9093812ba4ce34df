"""Experiments: one file per figure or ablation, each a command as `python -m nst_jax.experiments.NAME`."""
