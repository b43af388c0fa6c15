"""What the peers share: where to read and write, when the clock starts and stops, and the cleaning of a toot."""

import os
import re

BROKER = os.environ["PEER_BROKER"]
TOPIC = os.environ["PEER_TOPIC"]
# A consumer group, or any other name, that no run had before.
GROUP = os.environ["PEER_GROUP"]
DATABASE = os.environ["PEER_DATABASE"]
# Not to end at the topic's end: for the measurement of latency.
LIVE = os.environ.get("PEER_LIVE") == "1"
LANGUAGE = "en"

URL = re.compile(r"https?://\S+")
GONE = re.compile(r"[^\w\s#'\u2019]")


def clean(content):
    """Lower case, no URLs, words and `#` only, single spaces."""
    return " ".join(GONE.sub("", URL.sub(" ", content.lower())).split())


def begin():
    """All is imported and prepared: from here on the time counts."""
    print("BEGIN", flush=True)


def end(seconds_ago=0.0):
    """All is committed, since so many seconds."""
    print(f"END {seconds_ago:.3f}", flush=True)
