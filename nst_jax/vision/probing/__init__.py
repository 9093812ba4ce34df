"""Single pictures: occlusion, invariance, evolution, correspondence."""
