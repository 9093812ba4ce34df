"""Visualisation of trained networks: the experiments of Zeiler & Fergus 2013, and activation maximisation."""
