"""Apache Kafka and Redis as child processes, and real touchpoints to feed them.

For the demo, the live tests and the benchmarks: no container, and neither Java nor Redis
has to be installed. Production runs on servers of its own.
"""
