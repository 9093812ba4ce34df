"""Small random motions of a picture (Olah et al. 2017, "Feature visualization", Distill).

A picture that is moved, rotated and resized a little before each step cannot exploit single pixels, nor the
grid of a network's strides.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

GRAY = 0.5  # beyond the picture


class Motion(NamedTuple):
    """A transform about the centre of the picture, or several along a first axis."""

    shift: Float[Array, "*n 2"]  # rows and columns, pixels
    angle: Float[Array, "*n"]  # radians, counterclockwise
    factor: Float[Array, "*n"]  # above 1 enlarges


def random_motions(key: PRNGKeyArray, count: int, within: tuple[int, float, float]) -> Motion:
    """Draw `count` motions, uniformly, `within` limits of the shift, the rotation and the change of size.

    These are in pixels along each axis, in degrees in both directions, and relative, up and down.
    """
    jitter, rotation, scale = within
    shifts, angles, factors = jax.random.split(key, 3)
    # Whole pixels, which alone do not blur.
    shift = jax.random.randint(shifts, (count, 2), -jitter, jitter + 1)
    limit = jnp.deg2rad(rotation)
    return Motion(
        shift.astype(jnp.float32),
        jax.random.uniform(angles, (count,), minval=-limit, maxval=limit),
        1 + jax.random.uniform(factors, (count,), minval=-scale, maxval=scale),
    )


def moved(image: Float[Array, "n h w 3"], motion: Motion) -> Float[Array, "n h w 3"]:
    """Transform pictures of the same size by one motion; values between pixels are interpolated linearly."""
    height, width = image.shape[1:3]
    rows, columns = jnp.meshgrid(jnp.arange(height), jnp.arange(width), indexing="ij")
    y, x = rows - (height - 1) / 2 - motion.shift[0], columns - (width - 1) / 2 - motion.shift[1]
    cos, sin = jnp.cos(motion.angle) / motion.factor, jnp.sin(motion.angle) / motion.factor
    # The source of each pixel, relative to a frame of one gray pixel around the picture.
    source_y = jnp.clip(cos * y + sin * x + (height - 1) / 2 + 1, 0, height + 1)
    source_x = jnp.clip(cos * x - sin * y + (width - 1) / 2 + 1, 0, width + 1)
    framed = jnp.pad(image, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=GRAY)
    top = jnp.minimum(source_y.astype(jnp.int32), height)
    left = jnp.minimum(source_x.astype(jnp.int32), width)
    down, across = (source_y - top)[..., jnp.newaxis], (source_x - left)[..., jnp.newaxis]
    upper = framed[:, top, left] * (1 - across) + framed[:, top, left + 1] * across
    lower = framed[:, top + 1, left] * (1 - across) + framed[:, top + 1, left + 1] * across
    return upper * (1 - down) + lower * down
