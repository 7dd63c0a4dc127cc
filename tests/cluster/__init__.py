"""A real single-node Kubernetes for the tests: `python -m tests.cluster.run -- COMMAND…`."""
