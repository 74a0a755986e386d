"""celery_call.py responder FOLDER | caller FOLDER JOBS: Celery with its file-system transport, and results in files."""

import os
import pathlib
import statistics
import sys
import time

import celery
import celery.signals

PAYLOAD = {"order": 4711, "text": "x" * (1024 - 24)}

role, here, *jobs = sys.argv[1:]
here = pathlib.Path(here)
for name in ("queue", "processed", "results"):
    (here / name).mkdir(exist_ok=True)
app = celery.Celery("peers", broker="filesystem://", backend=f"file://{here}/results")
app.conf.broker_transport_options = {
    "data_folder_in": str(here / "queue"),
    "data_folder_out": str(here / "queue"),
    "processed_folder": str(here / "processed"),
    "store_processed": True,
    "control_folder": str(here / "control"),
}


@app.task(name="echo")
def echo(data):
    return data


def main():
    if role == "responder":
        # Without remote control and events, which are traffic of their own.
        options = ["--pool", "solo", "--loglevel", "ERROR", "--without-gossip", "--without-mingle", "--without-heartbeat"]
        # Its worker greets on stdout, too, which is for whoever waits for us.
        ours = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)
        celery.signals.worker_ready.connect(lambda **_: print("ready", file=ours, flush=True), weak=False)
        app.worker_main(["worker", *options])
        return
    print("ready", flush=True)
    sys.stdin.readline()
    times = []
    for _ in range(int(jobs[0])):
        begin = time.perf_counter_ns()
        # It looks for results each 0.5 s, unless it is told otherwise.
        echo.delay(PAYLOAD).get(timeout=60, interval=0.01)
        times.append(time.perf_counter_ns() - begin)
    print(int(statistics.median(times)))


main()
