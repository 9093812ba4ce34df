# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # nst_jax: a quick start
#
# Paint a photo in the style of a painting, see what the settings do, and look at what a ConvNet responds to,
# with pictures and a network that ship with the package. The whole notebook takes about two minutes on two
# CPU cores.
#
# [Open in Colab](https://colab.research.google.com/github/nst-jax/nst_jax/blob/main/notebooks/quickstart.ipynb)

# %%
# Installs the package if it is missing, as in Colab, with the JAX of the runtime: CUDA 13 needs driver 580.
import importlib.util
import shutil
import subprocess
from pathlib import Path


def runtime() -> str:
    """Return the extra of JAX for the accelerator of this machine."""
    if shutil.which("nvidia-smi"):
        query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        driver = subprocess.run(query, capture_output=True, text=True).stdout.partition(".")[0]
        if driver.isdecimal():
            return "cuda13" if int(driver) >= 580 else "cuda12"
    return "tpu" if [*Path("/dev").glob("accel*"), *Path("/dev").glob("vfio/[0-9]*")] else "cpu"


if importlib.util.find_spec("nst_jax") is None:
    package = "nst-jax @ git+https://github.com/nst-jax/nst_jax"
    get_ipython().run_line_magic("pip", f"install --quiet '{package}' 'jax[{runtime()}]'")

# %%
import itertools

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display
from PIL import Image, ImageOps

import nst_jax
from nst_jax import images


def show(**pictures):
    """Show pictures side by side, each below its name."""
    axes = plt.figure(figsize=(4 * len(pictures), 3), layout="constrained").subplots(1, len(pictures))
    for axis, (name, picture) in zip(axes, pictures.items(), strict=True):
        axis.imshow(picture)
        axis.set_title(name)
        axis.axis("off")
    plt.show()


# %% [markdown]
# ## A photo and a painting
#
# The photo is the *content*, the painting is the *style*. Both can be paths, PIL images, arrays, or names of
# bundled pictures. `images.read` returns an array of shape `1 h w 3` with values in [0, 1].

# %%
photo, painting = images.read("sample:chelsea"), images.read("sample:swirls")
show(content=photo[0], style=painting[0])

# %% [markdown]
# ## The first picture
#
# The config `quick` needs no download. `size` is the longer side in pixels: 512 by default, less here to save
# time.

# %%
result = nst_jax.stylize(photo, painting, config="quick", size=256)
result

# %% [markdown]
# A result has the picture (`result.image`, a PIL image; `result.array`, floats in [0, 1]), the losses of
# every logged step (`result.metrics`), and all settings (`result.config`). A saved PNG holds the settings as
# text.

# %%
result.save("chelsea.png")

# %% [markdown]
# ## What is minimised
#
# The picture itself is the variable. A network that was trained to see computes activations of it, and
# L-BFGS lowers `alpha * content + beta * style`:
#
# - The *content* loss compares the activations of a deep layer, conv4_2, with those of the photo: what is
#   where.
# - The *style* loss compares *Gram matrices* with those of the painting, in five layers. Entry (i, j) of a
#   Gram matrix says how strongly the filters i and j respond together, on average over all positions: which
#   colours, strokes and textures occur, wherever they are.
#
# These are the Gram matrices of the first 24 filters of conv2_1. That of the result is the painting's, not
# the photo's.

# %%
from nst_jax.losses.gram import gram
from nst_jax.weights import load_network

network, weights = load_network(result.config.network, ["conv2_1"])
grams = {}
for name, picture in {"content": photo, "style": painting, "result": result.array}.items():
    activations = network(images.fit(picture, 256), ["conv2_1"])
    grams[name] = gram(activations["conv2_1"])
brightest = np.sqrt(np.max(grams["style"]))
show(**{name: plt.cm.magma(np.sqrt(matrix[:24, :24]) / brightest) for name, matrix in grams.items()})

# %% [markdown]
# `quick` paints from coarse to fine: at 64, 128 and 256 px here. At every new scale the picture is enlarged
# and compared with the targets of that size, for which it has not been optimised yet. So the loss jumps, and
# then falls again. Values of different scales cannot be compared.

# %%
lines = result.metrics
plt.semilogy([line["step"] for line in lines], [line["total"] for line in lines], marker=".")
for before, after in itertools.pairwise(lines):
    if after["scale"] != before["scale"]:
        plt.axvline(after["step"], color="gray", linestyle=":")
        plt.annotate(f" {256 * after['scale']:.0f} px", (after["step"], plt.ylim()[1]), va="top")
plt.xlabel("step")
plt.ylabel("total loss")
plt.show()

# %% [markdown]
# ## Watch it grow
#
# `paint` yields the picture every few steps, here from noise instead of the photo, and at one scale. Every
# field of the config can be given by name. Two underscores stand for a dot, which Python does not allow in a
# name: `optimizer__steps=100` sets the field `optimizer.steps`, as `--config.optimizer.steps=100` does on the
# command line.

# %%
view = display(display_id=True)
settings = {"size": 192, "init": "noise", "scales": (1.0,), "optimizer__steps": 100}
for snapshot in nst_jax.paint(photo, painting, config="quick", **settings):
    view.update(snapshot.image)

# %% [markdown]
# ## What alpha/beta does
#
# Only the ratio of the two weights counts: a larger `content_weight` (alpha) keeps more of the photo. A sweep
# paints every combination of the values with one compiled program, and shows a sheet.

# %%
sweep = nst_jax.sweep(
    "quick",
    {"content_weight": [0.05, 0.15, 0.5, 5.0]},
    content="sample:chelsea",
    style="sample:swirls",
    size=160,
    scales=(1.0,),
    optimizer__steps=60,
)
sweep

# %% [markdown]
# `sweep.table` has the final losses, and distances that are measured in the same way for every picture. More
# content weight means more structural similarity to the photo, and a greater distance to the style.

# %%
for row in sweep.table:
    similarity, distance = float(row["ssim"]), float(row["style_distance/conv3_1"])
    print(f"alpha {row['content_weight']}: SSIM {similarity:.2f}, style distance {distance:.2f}")

# %% [markdown]
# ## What a unit responds to
#
# For each unit, the patches of the bundled photos that activate it most, and beside them what in these
# patches does: the activation projected down to pixels (Zeiler & Fergus 2013, Fig 2). With a folder of your
# own photos, `data="folder:PATH"`, the patches have more in common.

# %%
nst_jax.top_patches("conv3_1", units=[1, 5, 9, 13], size=128)

# %% [markdown]
# ## A clip
#
# Frames that are painted one by one flicker: each gets strokes of its own. In a clip, a frame starts from the
# last one, moved along the optical flow, and is held there. `stylize_video` takes a video, a GIF or WebP, or
# `folder:PATH` of numbered pictures. Here, a camera moves over a photo.

# %%
cat = Image.fromarray(np.uint8(255 * photo[0])).resize((240, 160))
views = [cat.crop((6 * n, 3 * n, 6 * n + 192, 3 * n + 128)) for n in range(5)]
views[0].save("camera.webp", save_all=True, append_images=views[1:], duration=80, lossless=True)
fast = {"size": 192, "scales": (1.0,), "optimizer__steps": 80}
frames = list(nst_jax.stylize_video("camera.webp", "sample:swirls", **fast))
display(Image.fromarray(np.vstack([np.hstack(views[::2]), np.hstack([f.image for f in frames[::2]])])))
errors = [frame.metrics["temporal_error"] for frame in frames[1:]]
print(f"a frame differs from the moved last one by {np.mean(errors):.1f} of 255")

# %% [markdown]
# ## Your own pictures
#
# Replace `portrait` by a path such as `"photo.jpg"`, and the style likewise; in Colab, upload the files first
# (the folder symbol at the left). Faces need a larger `content_weight` than cats. A `Session` keeps the
# network, the compiled programs and the style's statistics, so every further picture of the same shape starts
# at once.

# %%
portrait = Image.fromarray(np.uint8(255 * images.read("sample:astronaut")[0]))
session = nst_jax.Session("quick", style="sample:sunset", size=256, content_weight=0.3)
for picture in (portrait, ImageOps.mirror(portrait)):
    display(session.stylize(picture))
print(f"{session.compilations} programs compiled: one per scale, for both pictures")

# %% [markdown]
# A picture is too weak, too dark, or has lost a face? The documentation's page on troubleshooting says which
# field to change. `nst_jax.load_config("gatys")` shows all settings of the paper, and `nst_jax.stylize(...,
# config="gatys")` paints with VGG-19, which is downloaded once.
