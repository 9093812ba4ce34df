"""Networks: their layers by name, and the Flax NNX modules that compute named activations."""
