"""The embedded Kafka's configuration: one node, loopback only, a password on every port."""

from __future__ import annotations

from stream.embedded.identity import USERNAME, Identity
from stream.embedded.ports import LOOPBACK

DATA = "data"
_JAAS = "org.apache.kafka.common.security.plain.PlainLoginModule"

_BROKER = """\
process.roles=broker,controller
node.id=1
# One node holds the only copy of everything.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=8
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# A misspelt topic is an error, not a new topic.
auto.create.topics.enable=false
# Kafka's default week would delete replayed history within minutes: it goes by record time.
log.retention.ms=-1
log.retention.bytes=-1
# Ten years: a demo that is continued later finds its positions.
offsets.retention.minutes=5256000
message.max.bytes=2097152
# No second consumer is on its way that would be worth the default wait of three seconds.
group.initial.rebalance.delay.ms=0
# Tests of a lost worker ask for short session time-outs; the default refuses less than 6 s.
group.min.session.timeout.ms=1000
# After a kill, Kafka takes itself back only when its former session is over: by default 9 s.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=750
# The default takes 128 MiB of the heap at once, to compact logs far larger than these.
log.cleaner.dedupe.buffer.size=16777216
# For a machine of a few cores that runs the clients as well.
num.network.threads=2
num.io.threads=4
background.threads=4
"""


def broker_properties(identity: Identity) -> str:
    """The text of `server.properties`; it holds the password. Ports: clients, controller."""
    clients, controller = (f"{LOOPBACK}:{port}" for port in identity.ports)
    login = (
        f'{_JAAS} required username="{USERNAME}" password="{identity.password}" '
        f'user_{USERNAME}="{identity.password}";'
    )
    return _BROKER + "\n".join(
        [
            # Relative to where Kafka runs: a path may hold what this format gives a meaning to.
            f"log.dirs={DATA}",
            f"listeners=CLIENTS://{clients},CONTROLLER://{controller}",
            f"controller.quorum.bootstrap.servers={controller}",
            "controller.listener.names=CONTROLLER",
            "inter.broker.listener.name=CLIENTS",
            "listener.security.protocol.map=CLIENTS:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT",
            "sasl.enabled.mechanisms=PLAIN",
            "sasl.mechanism.inter.broker.protocol=PLAIN",
            "sasl.mechanism.controller.protocol=PLAIN",
            f"listener.name.clients.plain.sasl.jaas.config={login}",
            f"listener.name.controller.plain.sasl.jaas.config={login}",
            "",
        ]
    )
