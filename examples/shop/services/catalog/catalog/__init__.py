"""The list of products of Acme Home."""
