"""`python -m experiments.correspondence`, in a checkout."""

from nst_jax import cli
from nst_jax.experiments.correspondence import main

if __name__ == "__main__":
    cli.run(main)
