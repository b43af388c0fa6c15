"""Prints what the public stream says, or that of a hashtag, one line per callback, until there is no more input."""

import json
import sys

from mastodon import Mastodon, StreamListener


class Listener(StreamListener):
    def on_update(self, status):
        tell("update", status)

    def on_status_update(self, status):
        tell("status.update", status)

    def on_delete(self, status_id):
        print(json.dumps({"event": "delete", "id": str(status_id)}), flush=True)

    def on_abort(self, err):
        print(json.dumps({"event": "abort", "why": str(err)}), flush=True)


def tell(event, status):
    edited_at = status.edited_at and str(status.edited_at)
    told = {"event": event, "id": str(status.id), "edited_at": edited_at, "content": status.content}
    told["tags"] = [tag.name for tag in status.tags]
    told["account"] = status.account.acct
    print(json.dumps(told), flush=True)


server, token, *tag = sys.argv[1:]
mastodon = Mastodon(access_token=token, api_base_url=server)
if tag:
    handle = mastodon.stream_hashtag(tag[0], Listener(), run_async=True)
else:
    handle = mastodon.stream_public(Listener(), run_async=True)
sys.stdin.read()
handle.close()
