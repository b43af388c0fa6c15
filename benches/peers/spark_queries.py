"""PySpark, the original's way: four queries over the same topic, each written by `foreachBatch` over JDBC.

`AvailableNow` without a limit makes one batch of each. Windows are in mode `complete` like the averages: in mode `append`
the last ones would never be written, and JDBC cannot correct a row.
"""

import tempfile

from pyspark.sql import functions as f

from common import begin, end
from spark_common import jdbc, rows, session, tags, toots


def append(table):
    return lambda batch, _: jdbc(batch, table).mode("append").save()


def replace(table):
    return lambda batch, _: jdbc(batch, table).option("truncate", "true").mode("overwrite").save()


def main():
    spark = session()
    begin()
    stream = toots(spark)
    windows = (
        stream.withWatermark("timestamp", "1 hour").groupBy(f.window("timestamp", "1 hour")).agg(f.count("*").alias("n"))
    ).select(
        f.col("window.start").alias("window_start"), f.col("window.end").alias("window_end"),
        f.col("n").cast("int").alias("total_toots"),
    )
    users = stream.groupBy("user_id").agg(f.avg("text_length").alias("average_length"))
    hashtags = tags(stream).groupBy("hashtag").agg(f.avg("text_length").alias("average_length"))
    with tempfile.TemporaryDirectory() as checkpoints:
        queries = [
            frame.writeStream.outputMode(mode).foreachBatch(write).trigger(availableNow=True)
            .option("checkpointLocation", f"{checkpoints}/{n}").start()
            for n, (frame, mode, write) in enumerate([
                (rows(stream), "append", append("filtered_toots")),
                (windows, "complete", replace("toots_time_window_aggregates")),
                (users, "complete", replace("user_avg_length")),
                (hashtags, "complete", replace("hashtag_avg_length")),
            ])
        ]
        for query in queries:
            query.awaitTermination()
        end()
        spark.stop()


main()
