"""Pathway: one graph, its own Kafka reader and its own PostgreSQL sink in snapshot mode.

The reader is static: it ends where the topic ended at the start. Auto-commit stays on, as by default.
"""

from datetime import datetime, timedelta
from urllib.parse import unquote, urlsplit

import pathway as pw

from common import BROKER, DATABASE, GROUP, LANGUAGE, TOPIC, begin, clean, end


class Toot(pw.Schema):
    toot_id: str
    created_at: str
    content: str | None
    user_id: str
    language: str | None
    tags: list[str]
    reblogs_count: int
    favourites_count: int
    replies_count: int


@pw.udf
def cleaned(content: str) -> str:
    return clean(content)


@pw.udf
def utc(created_at: str) -> pw.DateTimeNaive:
    return datetime.fromisoformat(created_at).replace(tzinfo=None)


@pw.udf
def joined(tags: list[str]) -> str:
    return ",".join(tags)


@pw.udf
def lowered(tags: list[str]) -> list[str]:
    return list({tag.lower() for tag in tags})


def write(table, name, *key):
    url = urlsplit(DATABASE)
    settings = {
        "host": url.hostname, "port": str(url.port), "dbname": url.path[1:],
        "user": unquote(url.username), "password": unquote(url.password),
    }
    pw.io.postgres.write(
        table, settings, name, output_table_type="snapshot", primary_key=[table[column] for column in key]
    )


def main():
    begin()
    settings = {"bootstrap.servers": BROKER, "group.id": GROUP, "auto.offset.reset": "earliest"}
    # A column of Pathway's own is called `id`.
    paths = {"toot_id": "/id"}
    records = pw.io.kafka.read(settings, TOPIC, schema=Toot, format="json", json_field_paths=paths, mode="static")
    kept = records.filter((pw.this.language == LANGUAGE) & pw.this.content.is_not_none())
    toots = kept.select(
        pw.this.toot_id, pw.this.user_id, pw.this.language, pw.this.tags, pw.this.reblogs_count, pw.this.favourites_count,
        pw.this.replies_count, text=cleaned(pw.unwrap(pw.this.content)), timestamp=utc(pw.this.created_at),
    )
    toots = toots.with_columns(length=pw.this.text.str.len())
    rows = toots.select(
        toot_id=pw.this.toot_id, timestamp=pw.this.timestamp, text=pw.this.text, user_id=pw.this.user_id,
        language=pw.this.language, hashtags=joined(pw.this.tags), reblogs_count=pw.this.reblogs_count,
        favourites_count=pw.this.favourites_count, replies_count=pw.this.replies_count,
    )
    windows = toots.windowby(pw.this.timestamp, window=pw.temporal.tumbling(timedelta(hours=1))).reduce(
        window_start=pw.this._pw_window_start, window_end=pw.this._pw_window_end, total_toots=pw.reducers.count()
    )
    users = toots.groupby(pw.this.user_id).reduce(pw.this.user_id, average_length=pw.reducers.avg(pw.this.length))
    tags = toots.select(pw.this.length, hashtag=lowered(pw.this.tags)).flatten(pw.this.hashtag)
    tags = tags.groupby(pw.this.hashtag).reduce(pw.this.hashtag, average_length=pw.reducers.avg(pw.this.length))
    write(rows, "filtered_toots", "toot_id")
    write(windows, "toots_time_window_aggregates", "window_start", "window_end")
    write(users, "user_avg_length", "user_id")
    write(tags, "hashtag_avg_length", "hashtag")
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    end()


main()
