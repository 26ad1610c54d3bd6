"""Speed, measured: this worker beside what one would build otherwise, on the same Kafka and Redis."""
