"""NNST, Neural Neighbor Style Transfer (Kolkin et al. 2022, arXiv 2203.13215): features replaced."""
