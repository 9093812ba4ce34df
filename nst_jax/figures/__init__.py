"""Figures: sheets of pictures, plots, colour maps, and HTML pages."""
