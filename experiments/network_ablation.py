"""`python -m experiments.network_ablation`, in a checkout."""

from nst_jax import cli
from nst_jax.experiments.network_ablation import main

if __name__ == "__main__":
    cli.run(main)
