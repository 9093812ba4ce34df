"""Networks: architectures as named layers, and the Flax NNX modules that compute their activations."""
