"""One vendor a file, no policy."""
