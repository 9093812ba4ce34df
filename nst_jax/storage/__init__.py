"""What other processes and later runs find on disk: locks, JSON files, and arrays with a digest."""
