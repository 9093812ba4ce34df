"""Pictures that activate units: what is maximised, how, and the settings."""
