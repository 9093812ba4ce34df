"""Gatys' objective in PyTorch, written from the papers and independently of nst_jax."""

import numpy as np
import torch
import torch.nn.functional as functional

MEAN_BGR = (103.939, 116.779, 123.68)
CONVS_PER_BLOCK = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4), "slim": (2, 2, 4, 4, 4)}


def activations(arrays, image, layers, pool, arch="vgg19"):
    """`image`: tensor 1x3xHxW, RGB in [0,1]. Returns {layer: 1xNxHxW}."""
    x = image.flip(1) * 255 - torch.tensor(MEAN_BGR, dtype=image.dtype).view(1, 3, 1, 1)
    found = {}
    for block, count in enumerate(CONVS_PER_BLOCK[arch], 1):
        for index in range(1, count + 1):
            name = f"conv{block}_{index}"
            if f"{name}.kernel" not in arrays:
                return found
            kernel = torch.tensor(arrays[f"{name}.kernel"]).permute(3, 2, 0, 1).to(image.dtype)
            bias = torch.tensor(arrays[f"{name}.bias"]).to(image.dtype)
            x = functional.relu(functional.conv2d(x, kernel, bias, padding=1))
            if name in layers:
                found[name] = x
        x = functional.avg_pool2d(x, 2) if pool == "avg" else functional.max_pool2d(x, 2)
        if f"pool{block}" in layers:
            found[f"pool{block}"] = x
    return found


def objective(arrays, image, content, style, config, pool, arch="vgg19"):
    """The total and its terms for NumPy pictures 1xHxWx3; also the gradient with respect to `image`."""
    G, C, S = (_tensor(picture) for picture in (image, content, style))
    G.requires_grad_(True)
    layers = {**config["content_layers"], **config["style_layers"]}
    F, P, Q = (activations(arrays, picture, layers, pool, arch) for picture in (G, C, S))
    terms = {}
    for name in config["content_layers"]:
        terms[f"content/{name}"] = 0.5 * ((F[name] - P[name].detach()) ** 2).sum()
    for name in config["style_layers"]:
        n = F[name].shape[1]
        grams = [features[name].reshape(n, -1) for features in (F, Q)]
        G_l, A_l = (rows @ rows.T / rows.shape[1] for rows in grams)
        terms[f"style/{name}"] = ((G_l - A_l.detach()) ** 2).sum() / (4 * n * n)
    terms["content"] = sum(w * terms[f"content/{k}"] for k, w in config["content_layers"].items())
    terms["style"] = sum(w * terms[f"style/{k}"] for k, w in config["style_layers"].items())
    terms["tv"] = ((G[:, :, 1:] - G[:, :, :-1]) ** 2).sum() + ((G[..., 1:] - G[..., :-1]) ** 2).sum()
    terms["total"] = (
        config["alpha"] * terms["content"] + config["beta"] * terms["style"] + config["tv"] * terms["tv"]
    )
    terms["total"].backward()
    gradient = G.grad.permute(0, 2, 3, 1).numpy()
    return {name: float(value.detach()) for name, value in terms.items()}, gradient


def _tensor(picture):
    return torch.tensor(np.asarray(picture, np.float64)).permute(0, 3, 1, 2)
