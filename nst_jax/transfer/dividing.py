"""The division of one picture among devices: which devices, and what cannot be divided."""

import jax
import numpy as np
from jax.sharding import Mesh

from nst_jax.config import Config
from nst_jax.devices.exchange import AXIS
from nst_jax.devices.split import Split
from nst_jax.errors import UserError
from nst_jax.losses.features.strips import strip_multiple
from nst_jax.losses.style import STYLE_LOSSES
from nst_jax.losses.terms.terms import TERMS, term_weights
from nst_jax.networks.layers import irregular_layer, up_to
from nst_jax.networks.network import Network
from nst_jax.transfer.job import Job
from nst_jax.variables.variable import Variable


def split_of(job: Job, variable: Variable) -> Split | None:
    """Return how the picture of `job` and its `variable` are divided at full size; None on one device.

    Raises:
        UserError: several devices cannot share the variable.
    """
    config = job.config
    if config.devices == 1:
        return None
    if not variable.by_rows:
        raise UserError(f"devices: {config.devices} cannot share a variable that has no rows; use 1")
    devices = jax.devices()[: config.devices or None]
    deepest = config.active_layers()[-1]
    # Of all terms, in use or not: strips are then the same for all runs of a size.
    rows = max(term.rows for term in TERMS.values())
    multiple = strip_multiple(job.network.geometry, deepest, config.tile, rows)
    return Split(Mesh(np.array(devices), (AXIS,)), job.size_at(1.0)[0], multiple)


def check_devices(config: Config, network: Network) -> None:
    """Refuse more devices than there are, and what is exact only on the whole picture.

    Raises:
        UserError: one of these; the message names the field.
    """
    found = jax.devices()
    if config.devices > len(found):
        there = f"{len(found)} {found[0].platform}" + (" devices" if len(found) > 1 else " device")
        raise UserError(f"devices: {config.devices} are more than there are: {there}")
    if (count := jax.process_count()) > 1 and config.devices not in (0, len(found)):
        raise UserError(f"devices: {config.devices} are not all {len(found)} of {count} processes; use 0")
    if config.devices == 1:
        return
    refused = f"devices: {config.devices} cannot be used with"
    for name in config.active_losses():
        if not STYLE_LOSSES[name].additive:
            raise UserError(f"{refused} style_losses.{name}, which compares all positions at once; use 1")
    for name in term_weights(config):
        if not TERMS[name].additive:
            raise UserError(f"{refused} terms.{name}, which is no sum over positions; use 1")
    if config.network.padding != "zeros":
        raise UserError(f"{refused} network.padding={config.network.padding}; use 1")
    if layer := irregular_layer(up_to(network.geometry, config.active_layers()[-1])):
        raise UserError(f"{refused} {layer.name} of this network; use 1")
