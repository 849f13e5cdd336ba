"""The refill as of a moment, as the task of Monday does it, in a process of its own.

    python -m tests.benchmarks.spending.refilling 2026-11-30T00:00:00+00:00

`manage.py refill` would do, but on production's settings it refuses a moment that is still to come.
"""

import json
import os
import sys
import time
from datetime import datetime

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from credits import ledger  # noqa: E402

begun_at, worked = time.time(), time.process_time()
refilled = sum(ledger.refill(now=datetime.fromisoformat(sys.argv[1])))
facts = {
    "refilled": refilled,
    "begun_at": begun_at,
    "ended_at": time.time(),
    "busy_seconds": time.process_time() - worked,
}
print(json.dumps(facts))
