"""The terminal: what a command prints, the signals that stop it, and how it ends."""
