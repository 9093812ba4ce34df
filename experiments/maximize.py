"""`python -m experiments.maximize`, in a checkout."""

from nst_jax import cli
from nst_jax.experiments.maximize import main

if __name__ == "__main__":
    cli.run(main)
