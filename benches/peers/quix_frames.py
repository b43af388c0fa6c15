"""Quix Streams: one application in one process, its own PostgreSQL sink with upserts.

Each grouping goes through a topic of its own. It cannot end at the topic's end by itself: it stops after a silence, which
is not counted.
"""

import tempfile
import time
from datetime import datetime, timedelta, timezone
from urllib.parse import unquote, urlsplit

from quixstreams import Application
from quixstreams.dataframe.windows import Count
from quixstreams.sinks.community.postgresql import PostgreSQLSink

from common import BROKER, DATABASE, GROUP, LANGUAGE, TOPIC, begin, clean, end

SILENCE = 15.0
written = time.monotonic()


class Sink(PostgreSQLSink):
    """Remembers when it last wrote."""

    def __init__(self, table, *key):
        url = urlsplit(DATABASE)
        super().__init__(
            host=url.hostname, port=url.port, dbname=url.path[1:], user=unquote(url.username),
            password=unquote(url.password), table_name=table, primary_key_columns=list(key),
            upsert_on_primary_key=True, schema_auto_update=False, include_metadata=False,
        )

    def write(self, batch):
        global written
        super().write(batch)
        written = time.monotonic()


def utc(created_at):
    return datetime.fromisoformat(created_at).replace(tzinfo=None)


def parse(toot):
    text = clean(toot["content"])
    return {
        "toot_id": toot["id"], "timestamp": utc(toot["created_at"]), "text": text, "user_id": toot["user_id"],
        "language": LANGUAGE, "hashtags": ",".join(toot["tags"]), "reblogs_count": toot["reblogs_count"],
        "favourites_count": toot["favourites_count"], "replies_count": toot["replies_count"],
    }


def lengths(toot):
    """What the averages need: less to send through Kafka."""
    return {"user_id": toot["user_id"], "length": len(clean(toot["content"])), "tags": toot["tags"]}


def average(value, state):
    total, n = state.get("total", 0) + value["length"], state.get("n", 0) + 1
    state.set("total", total)
    state.set("n", n)
    return total / n


def moment(millis):
    return datetime.fromtimestamp(millis / 1000, timezone.utc).replace(tzinfo=None)


def event_time(toot, headers, timestamp, timestamp_type):
    return int(datetime.fromisoformat(toot["created_at"]).timestamp() * 1000)


def main(folder):
    begin()
    app = Application(
        broker_address=BROKER, consumer_group=GROUP, auto_offset_reset="earliest", state_dir=folder, loglevel="WARNING"
    )
    records = app.dataframe(app.topic(TOPIC, timestamp_extractor=event_time))
    toots = records.filter(lambda toot: toot["language"] == LANGUAGE and toot["content"] is not None)
    toots.apply(parse).sink(Sink("filtered_toots", "toot_id"))
    windows = toots.apply(lambda toot: 1).group_by(lambda one: "all", name="all")
    windows = windows.tumbling_window(timedelta(hours=1), grace_ms=timedelta(days=2)).agg(value=Count()).current()
    windows = windows.apply(
        lambda w: {"window_start": moment(w["start"]), "window_end": moment(w["end"]), "total_toots": w["value"]}
    )
    windows.sink(Sink("toots_time_window_aggregates", "window_start", "window_end"))
    users = toots.apply(lengths).group_by("user_id")
    users = users.apply(lambda v, s: {"user_id": v["user_id"], "average_length": average(v, s)}, stateful=True)
    users.sink(Sink("user_avg_length", "user_id"))
    tags = toots.apply(lengths).apply(
        lambda v: [{"hashtag": tag, "length": v["length"]} for tag in {tag.lower() for tag in v["tags"]}], expand=True
    )
    tags = tags.group_by("hashtag")
    tags = tags.apply(lambda v, s: {"hashtag": v["hashtag"], "average_length": average(v, s)}, stateful=True)
    tags.sink(Sink("hashtag_avg_length", "hashtag"))
    app.run(timeout=SILENCE, collect=False)
    end(time.monotonic() - written)


with tempfile.TemporaryDirectory() as folder:
    main(folder)
