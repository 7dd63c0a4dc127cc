"""Takes the money for Acme Home."""
