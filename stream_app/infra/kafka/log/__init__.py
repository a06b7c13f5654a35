"""Kafka as a log: topics, batches of records written, ranges of records read. No consumer group, no state.

This package and ``engine`` are the only ones that import aiokafka. aiokafka's errors leave it as
:class:`stream_app.infra.kafka.errors.BrokerError`. These private members of aiokafka 0.14 are relied on;
``tests/integration/kafka/test_upstream.py`` and ``test_batch_producer.py`` fail when a release changes one:

``AIOKafkaProducer._closed``, ``_sender``, ``_message_accumulator``: dropped with all that they hold.
``MessageAccumulator.fail_all``, ``_batches``, ``_pending_batches``: batches that are not acked yet.
``MessageBatch._drain_waiter``: who waits for a batch to be sent.
``Sender._fail_all``, ``sender_task``: the callback is meant for transactions, and raises without one.
``AIOKafkaClient._get_conn``: opens connections; ``_wait_on_metadata``: learns a topic's leaders.
``AIOKafkaClient._metadata_update``: finds no broker when all that it knows have moved.
``AIOKafkaConsumer._client.send``, ``_fetcher._fetch_max_wait_ms``: a fetch that brings nothing is followed by a pause.
``AIOKafkaConsumer._client``, ``AIOKafkaAdminClient._client``, ``get_random_node``, ``send``: ask for topic ids.
``aiokafka.client.MetadataRequest``: asks the broker to create the topics that it names; no client here may.
"""

from functools import partial

from aiokafka import client
from aiokafka.protocol.metadata import MetadataRequest

# A topic that was deleted while a worker runs would come back at once, empty.
client.MetadataRequest = partial(MetadataRequest, allow_auto_topic_creation=False)
