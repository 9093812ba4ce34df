"""Transfer of a style mixed from two paintings, the strokes of one and the forms of the other.

    python -m nst_jax.experiments.mix_scales --config=configs/mix_scales.py --workdir=runs/mix

Gatys et al. 2017 (arXiv 1611.07865), section 6. Writes the run folders texture, mixed and naive, and
sheet.png with the three results under their sources.
"""

import dataclasses
from pathlib import Path

import numpy as np

from nst_jax import cli, images
from nst_jax.config import Config
from nst_jax.config.controls import StyleConfig
from nst_jax.figures.sheets import contact_sheet
from nst_jax.methods.uninterrupted import paint_completely
from nst_jax.transfer.preparing import prepare

USAGE = "python -m nst_jax.experiments.mix_scales --config=FILE [--config.FIELD=VALUE ...] [--workdir=FOLDER]"
EXAMPLE = "configs/mix_scales.py"


@dataclasses.dataclass(frozen=True)
class MixSettings:
    """Two paintings, and the transfer of what is mixed from them."""

    fine: str  # the painting with the strokes
    coarse: str  # the painting with the forms
    fine_layers: tuple[str, ...] = ("conv1_1", "conv2_1")
    texture_steps: int = 150
    transfer: Config = dataclasses.field(default_factory=Config)  # its style is replaced

    def texture(self) -> Config:
        """The coarse painting, in its own colours, with the strokes of the fine one; no content."""
        layers = {k: w for k, w in self.transfer.style_layers.items() if k in self.fine_layers}
        return dataclasses.replace(
            self.transfer,
            content=self.coarse,
            style=self.fine,
            styles={},
            init="content",
            color="pca",
            content_weight=0.0,
            style_layers=layers,
            scales=(1.0,),
            optimizer=dataclasses.replace(self.transfer.optimizer, steps=self.texture_steps),
        )

    def naive(self) -> Config:
        """Lower layers from the fine painting, the others from the coarse one."""
        forms = tuple(layer for layer in self.transfer.style_layers if layer not in self.fine_layers)
        styles = {
            "fine": StyleConfig(self.fine, layers=self.fine_layers),
            "coarse": StyleConfig(self.coarse, layers=forms),
        }
        return dataclasses.replace(self.transfer, styles=styles)


def main(argv: list[str]) -> int:
    """Paint the texture, the transfer of it, and the naive mix; write sheet.png."""
    return cli.run_experiment(argv, MixSettings, USAGE, EXAMPLE, _run)


def _run(settings: MixSettings, folder: Path) -> None:
    naive = settings.naive()
    texture = _paint(settings.texture(), folder / "texture")
    style = str(folder / "texture" / "result.png")
    mixed = _paint(dataclasses.replace(settings.transfer, style=style, styles={}), folder / "mixed")
    painted = [("texture", texture), ("mixed", mixed), ("naive", _paint(naive, folder / "naive"))]
    named = {"content": settings.transfer.content, "fine": settings.fine, "coarse": settings.coarse}
    sources = [(label, images.read(source)) for label, source in named.items()]
    images.write(folder / "sheet.png", contact_sheet([sources, painted]))
    print(f"done: {folder / 'sheet.png'}")


def _paint(config: Config, folder: Path) -> np.ndarray:
    print(f"{folder.name}:")
    return paint_completely(prepare(config), folder)


if __name__ == "__main__":
    cli.run(main)
