"""Where states are kept: one port, Redis behind it in earnest, memory in unit tests."""
