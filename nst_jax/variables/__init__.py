"""What is optimised, and how it becomes a picture."""
