"""Style transfer: one job or many together, from pictures to a picture."""
