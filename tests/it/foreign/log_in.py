"""Registers an application and gets a token by authorization code, as the library's documentation shows it."""

import sys

from mastodon import Mastodon

server = sys.argv[1]
client_id, client_secret = Mastodon.create_app("reader", scopes=["read"], api_base_url=server)
mastodon = Mastodon(client_id=client_id, client_secret=client_secret, api_base_url=server)
print(mastodon.auth_request_url(scopes=["read"], allow_http=True), flush=True)
token = mastodon.log_in(code=input(), scopes=["read"], allow_http=True)
print(mastodon.me().acct)
print(token)
