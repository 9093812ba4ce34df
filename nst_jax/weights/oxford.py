"""Recognise Oxford's original VGG networks by their values."""

from collections.abc import Mapping

import numpy as np

from nst_jax.networks.trained import Weights, array_digest

# conv1_1 of the networks that Simonyan & Zisserman released: kernel[0, 0, :, 0] in the order blue,
# green, red, and the first biases.
FIRST_FILTER = {
    "vgg19": (0.34119523, 0.46418372, 0.39416704),
    "vgg16": (0.42947057, 0.55037946, 0.4800154),
}
FIRST_BIASES = {
    "vgg19": (0.7301776, 0.06493629, 0.03428847, 0.8260386, 0.2578029),
    "vgg16": (0.73429835, 0.09340367, 0.06775674, 0.8862966, 0.25994542),
}

# `layer_digest` of each layer of VGG-19, in BGR order; made by scripts/oxford_digests.py.
DIGESTS = {
    "conv1_1": "bc30997dab49ce2ef41a2d1362ce48f3f7be1136e434a1acc2e4f268c4b8b20b",
    "conv1_2": "55e55597661edfae90c8ef5496d43f132c5149de9cf9918d3e5fe59503cac84b",
    "conv2_1": "56db716a4fc9c85621a51176a2e371df4547dc83cb736b65fec7cd4096a3ed59",
    "conv2_2": "070c8a48e8b29384df5b19c51b60238815d4dee9ce1637fe56209d31d433175b",
    "conv3_1": "a6cf36803237a7addd530c834e2a087bfe4e13cd2f2967f66d8bc57162e4b92b",
    "conv3_2": "1ffab417df6108ffe1e8ff9ec439f57aca3a252f7c402d0f97a1d00cb1161533",
    "conv3_3": "384dedd90d4c9dfd13eec3c4a2b9474ce2428d5f25c7c471b7a255230b2fdc0d",
    "conv3_4": "dad3656cfe67ed19cf98534a853e1c2e7ec61d15bdf0623ce1faec7df85d4693",
    "conv4_1": "20858757b74f14fd964029b131f17cba50f8ffd88ed724cca6004819c7de9b4e",
    "conv4_2": "19a1408d02772d15ea498bfa3dd4527c3a26fa16094a06a66926bc4e1a65077a",
    "conv4_3": "790de29956893f312d3566a06b3f623c941b047959af9ecb906df5b6b205df82",
    "conv4_4": "f0d720f70dca5bfca5a91e876ca40ee1cf9511730949ff9e50506225099fe722",
    "conv5_1": "281d66d723b7d563af892bb079009ee6caf5c9342f10779321190d60122e6a74",
    "conv5_2": "f41d86f51381bb0d1e0f55209c54c98494062043de19ccbc47ad3213c02c8754",
    "conv5_3": "c16e59b1a17de9c9ed98025ff1b7b0234f65eb55605649ab4353d59574380d23",
    "conv5_4": "c20a59a8f150ddef0b303a4b6d5d48eff12a2594918b8ff1ac946e59921853b1",
}
# Of each layer of VGG-19, kernel[2, 2, 0, :4] in BGR order, then bias[:4], by which rounded layers are known.
SAMPLES = {
    "conv1_1": (-0.3368, 0.06602, -0.08145, -0.1427, 0.7302, 0.06494, 0.03429, 0.826),
    "conv1_2": (0.05626, -0.04657, 0.001618, 0.004783, -0.293, 0.3398, 0.1597, 0.04132),
    "conv2_1": (-0.009582, 0.004872, 0.02349, -0.01038, -0.04265, 0.07903, -0.02595, 0.09957),
    "conv2_2": (0.002825, -0.000719, -0.008634, 0.008423, -0.07641, -0.1101, -0.1442, 0.03856),
    "conv3_1": (0.01326, -0.009442, -0.008477, -0.009695, 0.03196, -0.003086, 0.02625, 0.03341),
    "conv3_2": (0.008113, 0.006392, 0.002342, 0.006144, -0.08933, 0.1099, -0.05103, 0.03841),
    "conv3_3": (-0.01131, 0.005066, -0.002093, -0.0006675, 0.02055, -0.01921, 0.05143, 0.0548),
    "conv3_4": (-0.01393, -0.002271, -0.009224, -0.0007858, 0.08425, 0.06195, 0.027, -0.0005446),
    "conv4_1": (-0.01951, -0.004078, 0.02062, 0.005602, 0.02343, 0.01825, 0.02759, -0.01471),
    "conv4_2": (-0.001006, 0.0002791, 0.006217, -0.003968, 0.004365, -0.009478, -0.003754, 0.01943),
    "conv4_3": (-0.009611, -0.004799, 0.004211, 0.002861, 0.001691, 0.0437, 0.0567, 0.02057),
    "conv4_4": (0.01053, 0.003668, 0.008662, -0.002677, 0.04185, -0.0647, 0.01471, -0.03519),
    "conv5_1": (-0.005487, -0.0003051, -0.005097, -0.006404, -0.05644, -0.1046, 0.01544, 0.06656),
    "conv5_2": (0.003438, 0.0006622, -0.001589, 0.006854, 0.05146, 0.09485, 0.2174, 0.1074),
    "conv5_3": (-0.004243, -0.00033, 0.007608, -0.005907, -0.01029, 0.149, 0.2473, -0.04159),
    "conv5_4": (-0.003099, 0.01813, 0.001084, 0.01, 0.7223, -0.4857, 0.4057, 0.1416),
}
# For these layers, the digest covers only the corner kernel[2, 2, :8, :8]; the rest was not available.
_PARTLY_KNOWN = tuple(DIGESTS)[tuple(DIGESTS).index("conv4_1") :]


def recognise(weights: Weights) -> dict[str, bool]:
    """Layer -> whether its values are exactly those of Oxford's VGG-19; empty for other architectures."""
    if weights.arch != "vgg19":
        return {}
    return {layer: _is_oxfords(weights.arrays, layer) for layer in weights.layers()}


def verdicts(weights: Weights) -> dict[str, str]:
    """Layer -> "Oxford's", "Oxford's, rounded" or "not Oxford's"; empty for other architectures."""
    return {
        layer: "Oxford's" if exact else "Oxford's, rounded" if _is_rounded(weights, layer) else "not Oxford's"
        for layer, exact in recognise(weights).items()
    }


def layer_digest(kernel: np.ndarray, bias: np.ndarray) -> str:
    """SHA-256 of a layer's kernel, or its known corner, and bias."""
    return array_digest({"kernel": kernel, "bias": bias})


def _is_oxfords(arrays: Mapping[str, np.ndarray], layer: str) -> bool:
    kernel, bias = arrays[f"{layer}.kernel"], arrays[f"{layer}.bias"]
    if layer in _PARTLY_KNOWN:
        kernel = kernel[2, 2, :8, :8]
    return layer_digest(kernel, bias) == DIGESTS[layer]


def _is_rounded(weights: Weights, layer: str) -> bool:
    kernel, bias = weights.arrays[f"{layer}.kernel"], weights.arrays[f"{layer}.bias"]
    filters, biases = np.array(SAMPLES[layer]).reshape(2, -1)
    # Clustering a kernel moves its numbers by up to a tenth of their spread; bfloat16 keeps 8 digits.
    near = np.allclose(kernel[2, 2, 0, : len(filters)], filters, rtol=0, atol=kernel.std() / 10)
    return near and np.allclose(bias[: len(biases)], biases, rtol=2**-8, atol=0)
