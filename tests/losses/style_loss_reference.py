"""Style losses in PyTorch and float64, written from the papers and independently of nst_jax.

Each takes activations of the result and of the style, "n h w", and the weights of the positions of both,
"h w", or None.
"""

import numpy as np
import torch


def rows(F):
    return F.reshape(len(F), -1)


def share(F, weights):
    """The weight of each position, of sum 1 over the layer of a guide with a mean square of 1."""
    count = F.shape[1] * F.shape[2]
    return torch.full((count,), 1 / count, dtype=F.dtype) if weights is None else weights.reshape(-1) / count


def mean_and_covariance(F, weights):
    p = share(F, weights)
    mean = rows(F) @ p
    return mean, (rows(F) * p) @ rows(F).T - mean[:, None] * mean[None]


def covariance(F, S, ours, theirs):
    (_, C), (_, D) = mean_and_covariance(F, ours), mean_and_covariance(S, theirs)
    return ((C - D) ** 2).sum() / (4 * len(F) ** 2)


def moments(F, S, ours, theirs):
    (mean, C), (other_mean, D) = mean_and_covariance(F, ours), mean_and_covariance(S, theirs)
    deviations = [torch.sqrt(torch.diagonal(matrix).clamp(min=0) + 1e-4) for matrix in (C, D)]
    return ((mean - other_mean) ** 2).mean() + ((deviations[0] - deviations[1]) ** 2).mean()


def symmetric_root(M):
    values, vectors = torch.linalg.eigh(M)
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.T


def w2(F, S, ours, theirs):
    (mean, C), (other_mean, D) = mean_and_covariance(F, ours), mean_and_covariance(S, theirs)
    squares = sum((rows(X) ** 2 @ share(X, w)).sum() for X, w in ((F, ours), (S, theirs)))
    ridge = max(1e-4, 1e-6 * float(squares.detach())) * torch.eye(len(C), dtype=C.dtype)
    C, D = C + ridge, D + ridge
    half = symmetric_root(D)
    roots = torch.linalg.eigvalsh(half @ C @ half).clamp(min=0).sqrt()
    return (((mean - other_mean) ** 2).sum() + torch.trace(C) + torch.trace(D) - 2 * roots.sum()) / len(F)


def resampled(ranked, count):
    """Sorted rows at the middles of `count` equal shares, interpolated linearly."""
    size = ranked.shape[1]
    at = ((torch.arange(count, dtype=torch.float64) + 0.5) / count * size - 0.5).clamp(0, size - 1)
    below = at.floor().long()
    part = at - below
    return ranked[:, below] * (1 - part) + ranked[:, (below + 1).clamp(max=size - 1)] * part


def interpolated(row, weights, levels):
    """One row's values at `levels` of its cumulative weight, on the host."""
    used = weights > 0
    row, weights = row[used], weights[used]
    order = np.argsort(row, kind="stable")
    through = np.cumsum(weights[order])
    return np.interp(levels, (through - weights[order] / 2) / through[-1], row[order])


def ranked_distance(values, targets, ours, theirs):
    """The mean squared difference from the quantiles of `targets`, with constant ranks."""
    if ours is None:
        return (
            (values.sort(dim=1).values - resampled(targets.sort(dim=1).values, values.shape[1])) ** 2
        ).mean()
    count = values.shape[1]
    middles = (np.arange(count) + 0.5) / count
    weights, others = (w.reshape(-1).numpy() for w in (ours, theirs))
    total = 0.0
    for row, target in zip(values, targets, strict=True):
        quantiles = interpolated(target.numpy(), others, middles)
        order = np.argsort(row.detach().numpy(), kind="stable")
        through = np.cumsum(weights[order])
        levels = (through - weights[order] / 2) / through[-1]
        wanted = torch.tensor(np.interp(levels, middles, quantiles))
        total = total + (torch.tensor(weights[order]) * (row[order.copy()] - wanted) ** 2).sum()
    return total / values.numel()


def histogram(F, S, ours, theirs):
    return ranked_distance(rows(F), rows(S), ours, theirs)


def sliced(directions):
    def loss(F, S, ours, theirs):
        vectors = torch.tensor(np.asarray(directions, np.float64))
        return ranked_distance(vectors @ rows(F), vectors @ rows(S), ours, theirs)

    return loss


def mrf(F, S, ours, theirs):
    """By brute force over all patches of the style that have a weight."""
    psi, phi = (torch.nn.functional.unfold(X[None], 3, stride=2)[0].T for X in (F, S))
    if theirs is not None:
        phi = phi[theirs[1:-1:2, 1:-1:2].reshape(-1) > 0]
    similarity = (psi @ phi.T) / (phi.norm(dim=1) * psi.norm(dim=1, keepdim=True)).clamp(min=1e-12)
    squares = ((psi - phi[similarity.argmax(dim=1)].detach()) ** 2).mean(dim=1)
    if ours is None:
        return squares.mean()
    weights = ours[1:-1:2, 1:-1:2].reshape(-1)
    return (weights * squares).sum() / weights.sum()
