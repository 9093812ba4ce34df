"""Top patches: the search over pictures, its file, and the page of units."""
