"""Bytewax: one dataflow in one process. It has no sink for PostgreSQL: each is one of ours, one transaction a batch."""

import json
from datetime import datetime, timedelta, timezone

import bytewax.operators as op
import psycopg
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.operators.windowing import EventClock, TumblingWindower, count_window
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.run import cli_main

from common import BROKER, DATABASE, LANGUAGE, TOPIC, begin, clean, end

HOUR = timedelta(hours=1)
ALIGNED = datetime(2024, 1, 1, tzinfo=timezone.utc)
# The contract's wait is an hour. But one watermark covers all partitions: as soon as one is read an hour of events ahead
# of another, the toots of the other are dropped as late.
WAIT = timedelta(days=1)
COPY = """COPY filtered_toots (toot_id, "timestamp", text, user_id, language, hashtags, reblogs_count, favourites_count,
    replies_count) FROM STDIN BINARY"""
TYPES = ["text", "timestamp", "text", "text", "text", "text", "int4", "int4", "int4"]
WINDOWS = """INSERT INTO toots_time_window_aggregates (window_start, window_end, total_toots)
    SELECT * FROM unnest(%s::timestamp[], %s::timestamp[], %s::int[])
    ON CONFLICT (window_start, window_end) DO UPDATE SET total_toots = excluded.total_toots"""
AVERAGES = """INSERT INTO {table} ({key}, average_length) SELECT * FROM unnest(%s::text[], %s::float8[])
    ON CONFLICT ({key}) DO UPDATE SET average_length = excluded.average_length"""


class Sink(DynamicSink):
    """Writes batches by a function of a connection and the values."""

    def __init__(self, write):
        self.write = write

    def build(self, step_id, worker_index, worker_count):
        return Partition(self.write)


class Partition(StatelessSinkPartition):
    def __init__(self, write):
        self.write, self.connection = write, psycopg.connect(DATABASE, autocommit=True)

    def write_batch(self, items):
        with self.connection.transaction():
            self.write(self.connection, items)

    def close(self):
        self.connection.close()


def write_toots(connection, toots):
    with connection.cursor() as cursor, cursor.copy(COPY) as copy:
        copy.set_types(TYPES)
        for toot in toots:
            copy.write_row(toot["row"])


def write_windows(connection, windows):
    starts = [(ALIGNED + HOUR * window).replace(tzinfo=None) for _, (window, _) in windows]
    counts = [count for _, (_, count) in windows]
    connection.execute(WINDOWS, (starts, [start + HOUR for start in starts], counts))


def write_averages(table, key):
    sql = AVERAGES.format(table=table, key=key)

    def write(connection, averages):
        # Of a batch, only the last value of a key counts.
        last = dict(averages)
        keys = sorted(last)
        connection.execute(sql, (keys, [last[key] for key in keys]))

    return write


def parse(message):
    toot = json.loads(message.value)
    if toot["language"] != LANGUAGE or toot["content"] is None:
        return None
    text = clean(toot["content"])
    at = datetime.fromisoformat(toot["created_at"])
    row = (toot["id"], at.replace(tzinfo=None), text, toot["user_id"], LANGUAGE, ",".join(toot["tags"]),
           toot["reblogs_count"], toot["favourites_count"], toot["replies_count"])
    return {"row": row, "at": at, "user": toot["user_id"], "tags": {t.lower() for t in toot["tags"]}, "length": len(text)}


def average(state, length):
    total, n = state or (0, 0)
    total, n = total + length, n + 1
    return (total, n), total / n


begin()
flow = Dataflow("toots")
records = op.input("read", flow, KafkaSource([BROKER], [TOPIC], tail=False, batch_size=10_000))
toots = op.filter_map("parse", records, parse)
op.output("toots", toots, Sink(write_toots))
clock = EventClock(lambda toot: toot["at"], WAIT)
windows = count_window("windows", toots, clock, TumblingWindower(HOUR, ALIGNED), lambda _: "all")
op.output("write windows", windows.down, Sink(write_windows))
users = op.map("user", toots, lambda toot: (toot["user"], toot["length"]))
users = op.stateful_map("user average", users, average)
op.output("write users", users, Sink(write_averages("user_avg_length", "user_id")))
tags = op.flat_map("tags", toots, lambda toot: [(tag, toot["length"]) for tag in toot["tags"]])
tags = op.stateful_map("tag average", tags, average)
op.output("write tags", tags, Sink(write_averages("hashtag_avg_length", "hashtag")))
cli_main(flow, epoch_interval=timedelta(seconds=10))
end()
