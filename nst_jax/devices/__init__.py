"""Several devices and several machines: one picture split by rows, and processes that agree."""
