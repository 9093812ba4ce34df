"""A bench: recipes that paint the same pairs of pictures, and what a judge says of the results.

    python -m nst_jax.experiments.bench --config=bench:quick
    python -m nst_jax.experiments.bench --config=bench --config.contents=folder:PHOTOS \
        --config.styles=folder:PAINTINGS

Every recipe paints every content in every style, as one sweep that `--resume` continues and `--cluster`
distributes. The folder then holds index.html with the pictures side by side, bench.csv with a line per
picture, and bench.md with means, intervals, wins by pair and trade-off curves. See docs/bench.md.

Variants:
    bench          nine photos, four paintings, six recipes on `slim`: 36 pairs, 360 pictures of 256 px
    bench:quick    two photos, two paintings, two recipes: 8 pictures, in about a minute on two CPU cores
    bench:vgg19    as `bench`, painted by VGG-19

A recipe is the name of a config with changes of its fields; one more is
`--config.recipes.mine="quick content_weight=0.3 style_losses.w2=1"`.
"""

from ml_collections import ConfigDict

from nst_jax.errors import unknown

VARIANTS = ("all", "quick", "vgg19")
PHOTOS = (
    *("coffee", "rocket", "chelsea", "astronaut", "motorcycle_left", "motorcycle_right"),
    *("hubble_deep_field", "retina", "ihc"),
)
PAINTINGS = ("stained_glass", "swirls", "ink_wash", "sunset")


def get_config(variant: str = "all") -> ConfigDict:
    if variant not in VARIANTS:
        raise unknown("--config variant", variant, VARIANTS)
    config = ConfigDict()
    config.contents = tuple(f"sample:{name}" for name in PHOTOS)
    config.styles = tuple(f"sample:{name}" for name in PAINTINGS)
    config.most_contents = 0  # the first so many; 0 for all
    config.most_styles = 0
    config.size = 256  # longer side of the results, pixels
    changes = "" if variant == "vgg19" else " network.arch=slim"
    config.recipes = ConfigDict(
        {
            "quick": "quick",
            "best": "best",
            "released": f"gatys:released_512{changes}",
            "spst": f"spst{changes}",
            "crowsonkb": "crowsonkb:slim",
            "nnst": "nnst:256",
        }
    )
    config.reference = "best"  # the recipe with which the others are compared
    config.curves = ("quick", "best")  # recipes that are also painted with other content weights
    config.factors = (0.3, 3.0)  # of their content weight
    config.judge = ConfigDict({"arch": "vgg19", "weights": "auto"})
    # LPIPS by 'vgg16' or 'squeezenet1_1'; `weights` and `linear` are files, see docs/bench.md.
    config.lpips = ConfigDict({"arch": "", "weights": "", "linear": ""})
    config.style_layers = tuple(f"conv{block}_1" for block in range(1, 6))  # at which it compares styles
    if variant == "vgg19":
        config.recipes = ConfigDict(
            {name: f"{text} network.arch=vgg19" for name, text in config.recipes.items()}
        )
    if variant == "quick":
        config.most_contents = config.most_styles = 2
        config.recipes = ConfigDict({"quick": "quick", "best": "best"})
        config.curves = ()
    return config
