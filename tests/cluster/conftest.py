"""A real cluster on this machine."""

import pytest


@pytest.fixture
def cluster():
    """A head and one worker node with a core each; tests add and kill others."""
    import ray
    from ray.cluster_utils import Cluster

    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    nodes.add_node(num_cpus=1)
    yield nodes
    ray.shutdown()
    nodes.shutdown()
