"""`python -m experiments.evolution`, in a checkout."""

from nst_jax import cli
from nst_jax.experiments.evolution import main

if __name__ == "__main__":
    cli.run(main)
