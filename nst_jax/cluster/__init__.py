"""Sweeps and searches on many machines, by Ray: the driver plans and collects, tasks on the workers compute.

Nothing is assumed to be shared but the network: pictures and weights travel to a task, and the files of its
runs travel back as they are written, so that another worker can go on if one dies.
"""
