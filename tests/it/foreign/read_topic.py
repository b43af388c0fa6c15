"""Reads a topic from its first message to its last with the nine fields that the original's consumer declared."""

import json
import sys

from confluent_kafka import Consumer, KafkaError

SCHEMA = {
    "id": str,
    "created_at": str,
    "content": str,
    "user_id": str,
    "language": str,
    "tags": list,
    "reblogs_count": int,
    "favourites_count": int,
    "replies_count": int,
}

servers, topic, group = sys.argv[1:]
consumer = Consumer(
    {
        "bootstrap.servers": servers,
        "group.id": group,
        "auto.offset.reset": "earliest",
        "enable.partition.eof": True,
    }
)
consumer.subscribe([topic])
unfinished = set(consumer.list_topics(topic, timeout=30).topics[topic].partitions)
while unfinished:
    message = consumer.poll(30)
    if message is None:
        sys.exit("no message in 30 s")
    if message.error():
        if message.error().code() != KafkaError._PARTITION_EOF:
            sys.exit(str(message.error()))
        unfinished.discard(message.partition())
        continue
    value = message.value()
    fields = json.loads(value)
    row = {name: fields[name] for name in SCHEMA}
    for name, kind in SCHEMA.items():
        if row[name] is not None and not isinstance(row[name], kind):
            sys.exit(f"{name} is {row[name]!r}")
    told = {"key": message.key().decode(), "row": row, "fields": list(fields), "event": fields["event"]}
    told["ascii"] = value.isascii()
    told["escaped"] = b"\\u" in value
    print(json.dumps(told))
consumer.close()
