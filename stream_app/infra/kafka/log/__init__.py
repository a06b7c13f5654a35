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
"""
