"""`python -m experiments.mix_scales`, in a checkout."""

from nst_jax import cli
from nst_jax.experiments.mix_scales import main

if __name__ == "__main__":
    cli.run(main)
