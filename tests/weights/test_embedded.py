"""The networks bundled with the package."""

from nst_jax.config import NetworkConfig
from nst_jax.weights import load_network
from nst_jax.weights.embedded import first_slim, slim


def test_a_run_of_the_first_slim_goes_on_with_it():
    config, first = NetworkConfig("slim"), first_slim()
    assert load_network(config, ["conv5_1"])[1].sha256 == slim().sha256 != first.sha256
    assert load_network(config, ["conv5_1"], {first.sha256})[1].sha256 == first.sha256
    assert first.sha256.startswith("300de987")  # as recorded by runs of earlier versions
