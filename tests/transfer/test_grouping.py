"""Which jobs share a program, and which a session."""

import dataclasses

import pytest

from nst_jax.config import from_dict, to_dict
from nst_jax.config.overriding import override
from nst_jax.transfer.grouping import group, session_key
from nst_jax.transfer.preparing import prepare


@pytest.fixture
def changed(tiny_weights):
    network = {"arch": "slim", "weights": str(tiny_weights)}
    shallow = {"content_layers": {"conv2_2": 1.0}, "style_layers": {"conv1_1": 1.0, "conv2_1": 1.0}}
    losses = {"style_losses": {"gram": 1.0, "w2": 1.0}, "loss_layers": {"w2": {"conv1_1": 1.0}}}
    job = prepare(from_dict({"size": 48, "network": network, **shallow, **losses}))

    def changed(**fields):
        changes = {name.replace("__", "."): value for name, value in fields.items()}
        return dataclasses.replace(job, config=from_dict(override(to_dict(job.config), changes)))

    return changed


def test_a_group_has_the_layers_of_all_its_jobs(changed):
    jobs = [changed(), changed(content_layers__conv3_1=1.0), changed(tile=64), changed(style_weight=0.5)]
    assert group(jobs) == [[0, 1, 3], [2]]


def test_jobs_on_several_devices_share_their_deepest_layer(changed):
    """Strips must suit it: their heights are multiples of its stride."""
    jobs = [changed(devices=0), changed(devices=0, content_layers__conv3_1=1.0), changed(devices=0, seed=1)]
    assert group(jobs) == [[0, 2], [1]]


def test_a_session_of_one_job_has_its_layers_and_losses_alone(changed):
    assert session_key(changed()) == session_key(
        changed(seed=1, content_weight=0.5, loss_layers__w2__conv1_1=2.0)
    )
    other_loss = changed(loss_layers__w2={"conv2_1": 1.0})
    others = [other_loss, changed(content_layers__conv2_1=1.0), changed(style_layers__conv1_2=1.0)]
    assert len({session_key(job) for job in (changed(), *others)}) == 4
