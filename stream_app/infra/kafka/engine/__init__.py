"""The member of the consumer group, made of Faust: the only package that imports Faust.

It hands over whole fetches: all records that were fetched at once for a partition are ONE message, whose value is a
:class:`stream_app.wire.batch.Fetch`, for source and changelogs alike. There is no object per row, and every fetch says
where it began, so that nothing can be skipped unnoticed. These private members of Faust, and of aiokafka's consumer,
are relied on; ``tests/integration/kafka/test_upstream.py`` fails when a release changes one.

faust-streaming 0.15.3
    ``App._new_transport``, ``App._new_producer_transport``: choose the transport.
    ``Table._new_store``: chooses the store.
    ``Transport.Consumer``, ``Consumer._new_consumer_thread``, ``AIOKafkaConsumerThread.on_start``,
    ``_ensure_consumer``, ``_consumer``, ``Producer._producer``: reach the aiokafka clients.
    ``Consumer._read_offset``: Faust drops messages below it. After a seek back, a message that was still on its way
    moves it up again, and the rows read again would be dropped. So it always reads None, which switches the test off
    (and ``_add_gap`` with its interval tree, which commits past rows that are not processed). The state has the truth.
    ``Consumer._acked``, ``Consumer._new_offset``: commit exactly the rows that the last checkpoint includes.
    ``Consumer._getmany``: after a rebalance it may return records from before, and of more partitions than asked for.
    ``Consumer.perform_seek``: seeks to the committed offsets, even during a rebalance; switched off.
aiokafka 0.14
    ``Fetcher._fetch_max_wait_ms``: Faust fixes it at 1.5 s, for which partitions wait that are not in the request.
    ``Fetcher._isolation_level``: Faust reads uncommitted unless it writes transactions itself.
    ``Fetcher._proc_fetch_request``: takes a response from ``AIOKafkaClient.send`` and puts its partitions into
    ``Fetcher._records``, with no other task in between.
    ``FetchResult._partition_records``: where a partition's response waits; its record iterator is replaced by one that
    yields the whole response.
    ``PartitionRecords._tp``, ``_aborted_transactions``, ``_check_crcs``, ``next_fetch_offset``,
    ``_records_iterator``: that response.
    ``FetchResponse.topics``: each partition's number, then the broker's error code: a refusal.
    ``GroupCoordinator.fetch_committed_offsets``: committed offsets with their metadata, which Faust leaves empty;
    ``AIOKafkaConsumer.commit``, replaced, signs them.
    ``GroupCoordinator._do_heartbeat``, ``reset_generation``, ``generation``, ``member_id``: proof that the group still
    knows this member, and its end.
    ``AIOKafkaConsumer._client``, ``GroupCoordinator.request_rejoin``: join the group again.
    ``GroupCoordinator._push_error_to_user``, ``_coordination_task``, ``_closing``: why this worker is not in the group.
    ``GroupCoordinator._on_join_complete``, ``_send_req``: the group as its coordinator knows it.
    ``ThreadDelegateConsumer._thread``, ``ServiceThread.call_thread``: asked in the consumer's thread.
"""
