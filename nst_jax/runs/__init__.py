"""Records of a run: folder, metrics, checkpoints, progress, and the machine it runs on."""
