"""Where styles apply on the content, how strongly, and what they leave as it is.

A mask is the share of a style at each pixel. What the masks of all regions together leave is the content's
share: where it is everything, the result is the content.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
from absl import logging
from jaxtyping import Float

from nst_jax.images.region_masks import Mask, resize_mask

# Width of the soft border around regions, in which a picture changes into the content, as a share of its
# longer side: 16 pixels of 512. With guides='inside', no position reaches it.
BORDER = 1 / 32
NEGLIGIBLE_GAP = 0.01  # share of the picture without a style that needs no warning


@dataclasses.dataclass(frozen=True)
class Region:
    """A part of the content with styles of its own."""

    mask: Mask  # its square is the share of the region's styles at a pixel, in the sums of a guided statistic
    strength: float = 1.0  # the largest share of all styles together at one of its pixels
    share: float = 1.0  # the largest share of its own styles among all


def regions_of(masks: Mapping[str, Mask]) -> dict[str, Region]:
    """Return the regions of masks over one picture.

    Squares of guides add up in statistics and their gradients. So where regions share pixels, as along two
    gradients, a mask m becomes the root of m times the sum of all masks, if that is below 1. A mask that is
    alone at its pixels is left as it is: its guides are those of Gatys et al. 2017.
    """
    if not masks:
        return {}
    shape = max((mask.shape for mask in masks.values()), key=np.prod)
    sized = {name: m if m.shape == shape else resize_mask(m, *shape) for name, m in masks.items()}
    covered = np.minimum(sum(sized.values(), start=np.float32(0)), 1)
    regions = {}
    for name, mask in sized.items():
        inside = mask > 0
        share = np.max(mask[inside] / covered[inside])
        shared = np.where(covered == mask, mask, np.sqrt(mask * covered))
        regions[name] = Region(shared, float(covered[inside].max()), float(share))
    return regions


def free_share(
    regions: Mapping[str, Region], size: tuple[int, int], guides: str, wrap: bool
) -> Float[np.ndarray, "1 h w 1"]:
    """Return the share of each pixel of a result of `size` (height, width) that styles may change.

    It is 1 in the regions, and falls to 0 over the `BORDER` around them; a picture is periodic if `wrap`.
    """
    from scipy.ndimage import distance_transform_edt  # a fifth of the time that a command takes to start

    covered = np.max([resize_mask(region.mask, *size) for region in regions.values()], axis=0)
    width = 0.0 if guides == "inside" else BORDER * max(size)
    # Rows and columns from the opposite side, as many as the border is wide.
    reach = int(np.ceil(width)) + 1
    outside = np.pad(covered == 0, reach, mode="wrap") if wrap else covered == 0
    distance = distance_transform_edt(outside) if outside.any() else np.zeros(outside.shape)
    ramp = np.clip(1 - distance / (width + 1), 0, 1)
    free = ramp * ramp * (3 - 2 * ramp)  # smooth at both ends
    free = free[reach:-reach, reach:-reach] if wrap else free
    return free.astype(np.float32)[np.newaxis, :, :, np.newaxis]


def warn_of_gaps(masks: Mapping[str, Mask]) -> None:
    """Log how much of the content no style applies to."""
    height, width = next(iter(masks.values())).shape
    covered = sum(resize_mask(mask, height, width) for mask in masks.values())
    gap = np.mean(covered == 0)
    if gap > NEGLIGIBLE_GAP:
        logging.warning("no style applies to %.0f %% of the picture, which stays as it is", 100 * gap)
