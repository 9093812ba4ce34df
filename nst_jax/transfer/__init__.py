"""Style transfer: preparation, memory estimates, and painting of one or more jobs together."""
