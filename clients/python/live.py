"""Where the live service is, as `make clients` says it."""

import os

url = os.environ["ATTAIN_URL"]
key = os.environ["ATTAIN_KEY"]
