"""The health check of the containers of the project's image: ends well when the address answers with success."""

import sys
import urllib.request

# A proxy of the user's has no business between a container and itself.
urllib.request.build_opener(urllib.request.ProxyHandler({})).open(sys.argv[1], timeout=5).read(1)
