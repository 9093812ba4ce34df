"""Print the tables `DIGESTS` and `SAMPLES` of nst_jax/weights/oxford.py from two files of Oxford's VGG-19.

    python scripts/oxford_digests.py FIRST_LAYERS.safetensors FINGERPRINT.safetensors

The first file holds the kernels and biases of conv1_1 to conv3_4 under canonical names. The second holds, for
each later layer, its bias and `kernel_tap22_0_8`, which is kernel[2, 2, :8, :8].
"""

import sys

from safetensors.numpy import load_file

from nst_jax.weights.oxford import layer_digest

_SAMPLED = 4  # filters and biases


def main(first_layers: str, fingerprint: str) -> None:
    """Print one line per layer of the first table, then of the second."""
    first, later = load_file(first_layers), load_file(fingerprint)
    biases = {name.removesuffix(".bias"): a for name, a in (first | later).items() if name.endswith(".bias")}
    samples = {}
    for layer, bias in sorted(biases.items()):
        kernel = first.get(f"{layer}.kernel")
        corner = later[f"{layer}.kernel_tap22_0_8"] if kernel is None else kernel[2, 2, :8, :8]
        print(f'    "{layer}": "{layer_digest(corner if kernel is None else kernel, bias)}",')
        samples[layer] = [*corner[0, :_SAMPLED], *bias[:_SAMPLED]]
    for layer, numbers in samples.items():
        print(f'    "{layer}": ({", ".join(f"{number:.4g}" for number in numbers)}),')


if __name__ == "__main__":
    main(*sys.argv[1:])
