"""Kafka: topics, batches in, outputs out, dead letters."""
