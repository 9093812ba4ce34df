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
# Paint a photo in the style of a painting, see what the settings do, and look at what a ConvNet responds to.
# Everything runs on two CPU cores in about three minutes, with pictures and a network that ship with the
# package.

# %%
# Install the package if it is missing, for example in Colab.
import importlib.util

if importlib.util.find_spec("nst_jax") is None:
    get_ipython().run_line_magic("pip", "install --quiet nst-jax")

# %%
import matplotlib.pyplot as plt
from IPython.display import display

import nst_jax

# %% [markdown]
# ## The first picture
#
# `content` and `style` are paths, PIL images, arrays, or names of bundled pictures. The config `quick` needs
# no download. `size` is the longer side in pixels: 512 by default, less here to save time.

# %%
result = nst_jax.stylize("sample:chelsea", "sample:swirls", config="quick", size=256)
result

# %% [markdown]
# A result has the picture (`result.image`, a PIL image; `result.array`, floats in [0, 1]), the losses of
# every logged step (`result.metrics`), and all settings (`result.config`). A saved PNG holds the settings as
# text.

# %%
result.save("chelsea.png")
plt.semilogy([line["step"] for line in result.metrics], [line["style"] for line in result.metrics])
plt.xlabel("step")
plt.ylabel("style loss")
plt.show()

# %% [markdown]
# ## Watch it grow
#
# `paint` yields the picture every few steps, here from noise instead of the photo.

# %%
view = display(display_id=True)
settings = {"size": 192, "init": "noise", "scales": (1.0,), "optimizer__steps": 100}
for snapshot in nst_jax.paint("sample:chelsea", "sample:swirls", config="quick", **settings):
    view.update(snapshot.image)

# %% [markdown]
# ## What alpha/beta does
#
# The objective is `alpha * content + beta * style`: a larger `content_weight` (alpha) keeps more of the
# photo. A sweep paints every combination of the values with one compiled program, and shows a sheet.

# %%
sweep = nst_jax.sweep(
    "quick", {"content_weight": [0.05, 0.15, 0.5, 5.0]}, size=160, scales=(1.0,), optimizer__steps=60
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
# ## Your own pictures
#
# Replace the two names by paths. A `Session` keeps the network, the compiled programs and the style's
# statistics, so every further picture of the same shape starts at once.

# %%
content = result.image  # or "photo.jpg"
session = nst_jax.Session("quick", style="sample:stained_glass", size=160, scales=(1.0,), optimizer__steps=40)
for picture in (content, content.transpose(0)):
    display(session.stylize(picture))
print(f"{session.compilations} program compiled")

# %% [markdown]
# From here: `nst_jax.load_config("gatys")` shows all settings of the paper, and `nst_jax.stylize(...,
# config="gatys")` paints with VGG-19, which is downloaded once.
