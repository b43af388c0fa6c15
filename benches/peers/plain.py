"""The loop most people would write: confluent-kafka, json, psycopg; 20,000 messages a batch.

A batch is one transaction of a COPY and three upserts. The offsets are committed to Kafka after it: a crash between the
two repeats a batch, which the COPY then refuses.
"""

import json
from collections import defaultdict
from datetime import datetime, timedelta

import psycopg
from confluent_kafka import Consumer, KafkaError

from common import BROKER, DATABASE, GROUP, LANGUAGE, LIVE, TOPIC, begin, clean, end

BATCH = 20_000
COPY = """COPY filtered_toots (toot_id, "timestamp", text, user_id, language, hashtags, reblogs_count, favourites_count,
    replies_count) FROM STDIN BINARY"""
TYPES = ["text", "timestamp", "text", "text", "text", "text", "int4", "int4", "int4"]
WINDOWS = """INSERT INTO toots_time_window_aggregates AS w (window_start, window_end, total_toots)
    SELECT * FROM unnest(%s::timestamp[], %s::timestamp[], %s::int[])
    ON CONFLICT (window_start, window_end) DO UPDATE SET total_toots = w.total_toots + excluded.total_toots"""
AVERAGES = """INSERT INTO {table} AS a ({key}, average_length, length_sum, toots)
    SELECT k, s::float8 / n, s, n FROM unnest(%s::text[], %s::bigint[], %s::bigint[]) AS t (k, s, n)
    ON CONFLICT ({key}) DO UPDATE SET length_sum = a.length_sum + excluded.length_sum, toots = a.toots + excluded.toots,
        average_length = (a.length_sum + excluded.length_sum)::float8 / (a.toots + excluded.toots)"""
HOUR = timedelta(hours=1)


def rows(messages, windows, users, tags):
    for message in messages:
        toot = json.loads(message.value())
        if toot["language"] != LANGUAGE or toot["content"] is None:
            continue
        at = datetime.fromisoformat(toot["created_at"]).replace(tzinfo=None)
        text = clean(toot["content"])
        length = len(text)
        windows[at.replace(minute=0, second=0, microsecond=0)] += 1
        total = users[toot["user_id"]]
        total[0] += length
        total[1] += 1
        for tag in {tag.lower() for tag in toot["tags"]}:
            total = tags[tag]
            total[0] += length
            total[1] += 1
        yield (toot["id"], at, text, toot["user_id"], LANGUAGE, ",".join(toot["tags"]), toot["reblogs_count"],
               toot["favourites_count"], toot["replies_count"])


def write(connection, messages):
    windows, users, tags = defaultdict(int), defaultdict(lambda: [0, 0]), defaultdict(lambda: [0, 0])
    with connection.transaction(), connection.cursor() as cursor:
        with cursor.copy(COPY) as copy:
            copy.set_types(TYPES)
            for row in rows(messages, windows, users, tags):
                copy.write_row(row)
        starts = list(windows)
        cursor.execute(WINDOWS, (starts, [start + HOUR for start in starts], list(windows.values())))
        for table, key, sums in (("user_avg_length", "user_id", users), ("hashtag_avg_length", "hashtag", tags)):
            keys = sorted(sums)
            cursor.execute(
                AVERAGES.format(table=table, key=key),
                (keys, [sums[key][0] for key in keys], [sums[key][1] for key in keys]),
            )


def main():
    connection = psycopg.connect(DATABASE, autocommit=True)
    consumer = Consumer({
        "bootstrap.servers": BROKER, "group.id": GROUP, "auto.offset.reset": "earliest",
        "enable.auto.commit": False, "enable.partition.eof": True,
    })
    begin()
    partitions = len(consumer.list_topics(TOPIC).topics[TOPIC].partitions)
    consumer.subscribe([TOPIC])
    ended = set()
    while LIVE or len(ended) < partitions:
        messages = []
        for message in consumer.consume(BATCH, 0.05 if LIVE else 0.5):
            if message.error() is None:
                messages.append(message)
            elif message.error().code() == KafkaError._PARTITION_EOF:
                ended.add(message.partition())
            else:
                raise RuntimeError(message.error())
        if messages:
            write(connection, messages)
            consumer.commit(asynchronous=True)
    end()
    consumer.close()


main()
