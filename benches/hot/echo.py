import json, sys
for line in sys.stdin:
    event = json.loads(line)["event"]
    print(json.dumps({"id": event["id"], "data": event["data"]}), flush=True)
