"""Logs of runs for other programs. To add one, write it in a file of its own and list it in following.py."""
