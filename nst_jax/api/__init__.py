"""The Python API behind `import nst_jax`, which loads it on first use."""
