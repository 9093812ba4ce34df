"""Print the table `DIGESTS` of nst_jax/weights/oxford.py from two files of Oxford's VGG-19.

    python scripts/oxford_digests.py FIRST_LAYERS.safetensors FINGERPRINT.safetensors

The first file holds the kernels and biases of conv1_1 to conv3_4 under canonical names. The second holds, for
each later layer, its bias and `kernel_tap22_0_8`, which is kernel[2, 2, :8, :8].
"""

import sys

from safetensors.numpy import load_file

from nst_jax.weights.oxford import layer_digest


def main(first_layers: str, fingerprint: str) -> None:
    """Print one line per layer."""
    first, later = load_file(first_layers), load_file(fingerprint)
    for name in sorted(name for name in {**first, **later} if name.endswith(".bias")):
        layer = name.removesuffix(".bias")
        kernel = first.get(f"{layer}.kernel")
        if kernel is None:
            kernel = later[f"{layer}.kernel_tap22_0_8"]
        print(f'    "{layer}": "{layer_digest(kernel, {**first, **later}[name])}",')


if __name__ == "__main__":
    main(*sys.argv[1:])
