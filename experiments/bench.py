"""`python -m experiments.bench`, in a checkout."""

from nst_jax import cli
from nst_jax.experiments.bench import main

if __name__ == "__main__":
    cli.run(main)
