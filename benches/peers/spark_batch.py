"""PySpark, one query: `foreachBatch` keeps the parsed batch in memory and writes all four tables.

JDBC only appends or replaces, so sums go through staging tables, merged by three upserts: right for any number of
batches, but no transaction spans the tables, and a batch that Spark repeats after a crash counts twice.
"""

import tempfile

import psycopg
from pyspark.sql import functions as f

from common import DATABASE, LIVE, begin, end
from spark_common import jdbc, rows, session, tags, toots

STAGING = """CREATE UNLOGGED TABLE staged_windows (window_start TIMESTAMP, window_end TIMESTAMP, n INTEGER);
    CREATE UNLOGGED TABLE staged_users (user_id TEXT, s BIGINT, n BIGINT);
    CREATE UNLOGGED TABLE staged_tags (hashtag TEXT, s BIGINT, n BIGINT);"""
WINDOWS = """INSERT INTO toots_time_window_aggregates AS w SELECT * FROM staged_windows
    ON CONFLICT (window_start, window_end) DO UPDATE SET total_toots = w.total_toots + excluded.total_toots"""
AVERAGES = """INSERT INTO {table} AS a ({key}, average_length, length_sum, toots) SELECT {key}, s::float8 / n, s, n FROM {staged}
    ON CONFLICT ({key}) DO UPDATE SET length_sum = a.length_sum + excluded.length_sum, toots = a.toots + excluded.toots,
        average_length = (a.length_sum + excluded.length_sum)::float8 / (a.toots + excluded.toots)"""


def main():
    connection = psycopg.connect(DATABASE, autocommit=True)
    connection.execute(STAGING)
    spark = session()
    spark.conf.set("spark.sql.streaming.noDataMicroBatches.enabled", "false")

    def stage(frame, table):
        jdbc(frame, table).option("truncate", "true").mode("overwrite").save()

    def write(batch, _):
        batch.persist()
        jdbc(rows(batch), "filtered_toots").mode("append").save()
        hour = f.date_trunc("hour", "timestamp")
        windows = batch.groupBy(hour.alias("window_start")).agg(f.count("*").cast("int").alias("n"))
        end_of = f.col("window_start") + f.expr("interval 1 hour")
        stage(windows.select("window_start", end_of.alias("window_end"), "n"), "staged_windows")
        sums = (f.sum("text_length").alias("s"), f.count("*").alias("n"))
        stage(batch.groupBy("user_id").agg(*sums), "staged_users")
        stage(tags(batch).groupBy("hashtag").agg(*sums), "staged_tags")
        with connection.transaction():
            connection.execute(WINDOWS)
            connection.execute(AVERAGES.format(table="user_avg_length", key="user_id", staged="staged_users"))
            connection.execute(AVERAGES.format(table="hashtag_avg_length", key="hashtag", staged="staged_tags"))
        batch.unpersist()

    begin()
    with tempfile.TemporaryDirectory() as checkpoints:
        query = toots(spark).writeStream.foreachBatch(write).option("checkpointLocation", checkpoints)
        query = query if LIVE else query.trigger(availableNow=True)
        query.start().awaitTermination()
        end()
        spark.stop()


main()
