"""Cells of a sweep, from flags."""

from nst_jax.sweeps.combining import combine, read_axes


def varied(flags, cells=(((), {}),)):
    return combine(cells, read_axes("--vary", flags))
