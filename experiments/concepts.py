"""`python -m experiments.concepts`, in a checkout."""

from nst_jax import cli
from nst_jax.experiments.concepts import main

if __name__ == "__main__":
    cli.run(main)
