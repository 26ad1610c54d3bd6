"""Faust agents and what they drive: thin edges that read, call the core, and write."""
