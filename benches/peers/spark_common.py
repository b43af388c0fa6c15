"""A session, the parsed topic and the way into PostgreSQL, for both Spark programs."""

import os
from urllib.parse import unquote, urlsplit

from pyspark.sql import SparkSession
from pyspark.sql import functions as f
from pyspark.sql.types import ArrayType, IntegerType, StringType, StructField, StructType

from common import BROKER, DATABASE, LANGUAGE, TOPIC

FIELDS = StructType(
    [StructField(name, StringType()) for name in ("id", "created_at", "content", "user_id", "language")]
    + [StructField("tags", ArrayType(StringType()))]
    + [StructField(name, IntegerType()) for name in ("reblogs_count", "favourites_count", "replies_count")]
)


def session():
    return (
        SparkSession.builder.appName("MastodonStreaming")
        .master("local[2]")
        .config("spark.jars", os.environ["PEER_JARS"])
        .config("spark.driver.memory", "2g")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .getOrCreate()
    )


def toots(spark):
    """The topic as a stream: parsed, filtered and cleaned."""
    records = (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", BROKER)
        .option("subscribe", TOPIC)
        .option("startingOffsets", "earliest")
        .load()
    )
    text = f.lower("content")
    text = f.regexp_replace(text, r"https?://\S+", " ")
    text = f.regexp_replace(text, r"[^\p{L}\p{M}\p{N}_\s#'\u2019]", "")
    text = f.trim(f.regexp_replace(text, r"\s+", " "))
    return (
        records.select(f.from_json(f.col("value").cast("string"), FIELDS).alias("toot"))
        .select("toot.*")
        .where((f.col("language") == LANGUAGE) & f.col("content").isNotNull())
        .withColumn("timestamp", f.to_timestamp("created_at"))
        .withColumn("text", text)
        .withColumn("text_length", f.char_length("text"))
    )


def rows(toots):
    """The nine columns of `filtered_toots`."""
    return toots.select(
        f.col("id").alias("toot_id"), "timestamp", "text", "user_id", "language",
        f.array_join("tags", ",").alias("hashtags"), "reblogs_count", "favourites_count", "replies_count",
    )


def tags(toots):
    """A row for each toot and each of its tags."""
    lower = f.array_distinct(f.transform("tags", f.lower))
    return toots.select("text_length", f.explode(lower).alias("hashtag"))


def jdbc(frame, table):
    """A writer into the database."""
    url = urlsplit(DATABASE)
    return frame.write.format("jdbc").options(
        url=f"jdbc:postgresql://{url.hostname}:{url.port}{url.path}?reWriteBatchedInserts=true",
        driver="org.postgresql.Driver",
        user=unquote(url.username),
        password=unquote(url.password),
        dbtable=table,
        batchsize="10000",
    )
