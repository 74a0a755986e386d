"""Reads one file name a line, and says in a line of JSON what the official Python SDK makes of that file. Runs in the virtual
environment in which `run` installed it."""

import base64
import datetime
import json
import pathlib
import sys

from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent


def shown(value):
    """Times as filedrop writes them."""
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03}Z"
    return value


def told(name):
    try:
        event = JSONFormat().read(CloudEvent, pathlib.Path(name).read_bytes())
    except Exception as e:  # whatever it is, it is what we want to know
        return {"error": f"{type(e).__name__}: {e}"}
    attributes = {name: shown(value) for name, value in event.get_attributes().items()}
    data = event.get_data()
    if isinstance(data, bytes):
        return {"attributes": attributes, "bytes": base64.b64encode(data).decode()}
    return {"attributes": attributes, "data": data}


for line in sys.stdin:
    print(json.dumps(told(line.rstrip("\n"))))
