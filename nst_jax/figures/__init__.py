"""Figures: sheets of pictures, plots, maps in colour, and HTML pages."""
