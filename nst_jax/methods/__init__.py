"""The methods of transfer, and what a run with each of them takes."""
