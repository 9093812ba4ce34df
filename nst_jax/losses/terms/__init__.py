"""Terms: what an objective adds up, one file each."""
