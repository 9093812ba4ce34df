"""Style transfer of clips: frames in and out, optical flow, and the painting of one frame after another."""
