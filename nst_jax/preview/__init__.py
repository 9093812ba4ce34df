"""A local page that shows a run or a sweep as it is painted, from its folder alone."""
