"""A clip in the style of a painting, without flicker (Ruder, Dosovitskiy & Brox 2016, arXiv 1604.08610).

    python -m nst_jax.video --config=configs/video.py --config.content=clip.mp4 --config.style=painting.jpg
    python -m nst_jax.video --config=configs/video.py --config.content=folder:FRAMES

The first frame of a shot is painted as configs/quick.py paints a picture, with more steps. Every other frame
starts from the last one, moved along the optical flow, and a temporal term keeps it there wherever the flow
can be trusted; what comes into view is painted from coarse to fine. The objective is otherwise that of
`quick`, and every field of it can be set. Videos need `pip install 'nst-jax[video]'`; GIF, WebP and folders
of pictures do not.
"""

from ml_collections import ConfigDict

from nst_jax.configs import quick


def get_config() -> ConfigDict:
    config = quick.get_config()
    config.size = 320
    config.content_weight = 0.15  # what docs/video.md was measured with, as the steps
    config.optimizer.steps = (100, 80, 60)  # of the first frame of a shot
    config.video = ConfigDict()
    config.video.steps = 15  # of every frame but the first of a shot; twice as many at half the size
    config.video.temporal_weight = 60.0  # more holds frames together, less lets the style renew itself
    config.video.references = (1, 2, 4)  # frames back
    config.video.flow = "auto"  # 'tvl1', 'dis', or folder:PATH of .flo files
    config.video.passes = 1  # several, forwards and backwards in turn, for a camera that moves much
    config.video.frames = 0  # to paint; 0: all
    config.video.every = 1  # takes each n-th frame
    return config
