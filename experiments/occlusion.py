"""`python -m experiments.occlusion`, in a checkout."""

from nst_jax import cli
from nst_jax.experiments.occlusion import main

if __name__ == "__main__":
    cli.run(main)
