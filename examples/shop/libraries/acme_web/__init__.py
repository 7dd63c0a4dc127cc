"""The HTTP/1.1 server that the services of Acme Home share. Standard library only."""
