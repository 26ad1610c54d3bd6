"""The HTTP API, the live feed and the page: a process of its own, so that a dead one stops no scoring."""
