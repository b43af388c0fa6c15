"""Pages through the public timeline, or that of a hashtag, from its newest toot to its oldest and back."""

import json
import sys

from mastodon import Mastodon

server, token, *tag = sys.argv[1:]
mastodon = Mastodon(access_token=token, api_base_url=server, ratelimit_method="throw")


def timeline():
    if tag:
        return mastodon.timeline_hashtag(tag[0], limit=40)
    return mastodon.timeline_public(limit=40)


backward, forward = [], []
oldest = page = timeline()
while page:
    backward += [str(status.id) for status in page]
    oldest, page = page, mastodon.fetch_next(page)
page = oldest
while page:
    forward += [str(status.id) for status in reversed(page)]
    page = mastodon.fetch_previous(page)
remaining = [str(status.id) for status in mastodon.fetch_remaining(timeline())]
print(json.dumps({"backward": backward, "forward": forward, "remaining": remaining}))
