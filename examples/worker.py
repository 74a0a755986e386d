#!/usr/bin/env python3
"""A handler that stays: consumer run DROP --worker --concurrency 4 -- python3 worker.py

Whatever is costly to set up (connections, models, caches) is set up once; then a line on stdin is a job, and a line on stdout
its answer. Print nothing else there: what is for people goes to stderr, and is logged.
"""
import json
import sys


def handle(event):  # your work: what it returns is the outcome's data; it may run twice for a job
    return {"type": event["type"], "was": event.get("data")}


for line in sys.stdin:
    event = json.loads(line)["event"]
    answer = {"id": event["id"]}
    try:
        answer["data"] = handle(event)
    except Exception as why:  # tried again later; with "final": True, never
        answer["error"] = f"{type(why).__name__}: {why}"
    print(json.dumps(answer), flush=True)
