"""`python -m experiments.invariance`, in a checkout."""

from nst_jax import cli
from nst_jax.experiments.invariance import main

if __name__ == "__main__":
    cli.run(main)
