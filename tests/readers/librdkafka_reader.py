"""Reads a topic to its end with librdkafka; a line of JSON per record. Run by the Python that has the client."""

from __future__ import annotations

import json
import sys

from confluent_kafka import Consumer, TopicPartition


def main(servers: str, topic: str) -> None:
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": topic,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
    )
    partitions = list(consumer.list_topics(topic, timeout=10).topics[topic].partitions)
    consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
    ended = set[int]()
    while len(ended) < len(partitions):
        message = consumer.poll(1.0)
        if message is None:
            continue
        if message.error():
            ended.add(message.partition())
            continue
        record = {
            "partition": message.partition(),
            "key": message.key().decode(),
            "headers": {name: value.decode() for name, value in message.headers()},
            "value": json.loads(message.value()),
        }
        print(json.dumps(record))  # noqa: T201
    consumer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
