"""A real cluster on this machine."""

import pytest


@pytest.fixture
def cluster(monkeypatch):
    """A head and one worker node with a core each; tests add and kill others."""
    # Ray lowers the priority of its workers by 15; beside other tests they would hardly advance.
    monkeypatch.setenv("RAY_worker_niceness", "0")
    import ray
    from ray.cluster_utils import Cluster

    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    nodes.add_node(num_cpus=1)
    yield nodes
    ray.shutdown()
    nodes.shutdown()
