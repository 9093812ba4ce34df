"""The bench: recipes that paint the same pairs of pictures, judged alike."""
