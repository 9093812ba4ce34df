"""Concepts of a layer by factorisation of its activations."""
