"""A run on disk and on its machine: folder, metrics, checkpoints, progress."""
