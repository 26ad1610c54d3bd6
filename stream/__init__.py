"""Scores customers while things happen: touchpoints in, band changes and triggers out."""
