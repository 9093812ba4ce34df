"""Features: what the terms of an objective need of a picture, and how it is computed."""
