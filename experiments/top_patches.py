"""`python -m experiments.top_patches`, in a checkout."""

from nst_jax import cli
from nst_jax.experiments.top_patches import main

if __name__ == "__main__":
    cli.run(main)
