"""Runs scim2-tester against a server and prints what it found, one JSON object a line.

Usage: run_scim2_tester.py BASE_URL

The token is in the environment variable CHARTGATE_TOKEN. scim2-tester has no program of its own to run, only a function.
"""

import json
import os
import sys

from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import check_server

token = os.environ["CHARTGATE_TOKEN"]
http = Client(base_url=sys.argv[1], headers={"Authorization": f"Bearer {token}"}, trust_env=False, timeout=60)
for result in check_server(SyncSCIMClient(http)):
    print(
        json.dumps(
            {
                "status": result.status.name,
                "check": result.title,
                "resource_type": result.resource_type,
                "reason": result.reason,
            }
        )
    )
