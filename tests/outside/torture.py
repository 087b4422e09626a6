#!/usr/bin/env python3
"""Kills real Broadsheets (SIGKILL) while they send, and while readers come and go; then joins what the database says
with what the relay took and what the readers were told. Prints each broken invariant with the row's history, and a
last line of figures. See scripts/torture.
"""

import argparse
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from torture_check import Check, percentile
from torture_house import House
from torture_load import Load

RESUME_SECONDS_MAX = 15
# While a kill's rows are looked for, and before the first mail of a start is.
FINISH_SECONDS_MAX = 240


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/torture", description=__doc__)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same plan of kills")
    parser.add_argument("--engine", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--nodes", type=int, default=1, help="processes on one Postgres; each kill takes one of them")
    parser.add_argument("--readers", type=int, default=400)
    parser.add_argument("--chunking", action="store_true", help="the relay offers BDAT, so that windows are used")
    parser.add_argument("--reply-ms", type=int, default=15, help="how long the relay thinks after a message")
    parser.add_argument("--bound", type=int, default=None,
                        help="readers in doubt that one kill may make [default: what the configuration says]")
    parser.add_argument("--minutes", type=float, default=0, help="stop killing after so long, however many are left")
    parser.add_argument("--keep", action="store_true", help="leave the folder for a look")
    return parser.parse_args()


class Plan:
    """When and whom to kill: from the seed alone."""

    def __init__(self, seed, nodes):
        self.random, self.nodes = random.Random(seed), nodes

    def next(self):
        """Seconds of sending before the kill, which node, whether the command that publishes dies too."""
        pause = self.random.uniform(0.0, 0.9)
        return pause, self.random.randrange(self.nodes), self.random.random() < 0.2


class Torture:
    def __init__(self, args):
        self.args = args
        self.folder = Path(tempfile.mkdtemp(prefix="broadsheet-torture-"))
        self.house = House(self.folder, args)
        self.load = Load(self.house, args.seed)
        self.resumes, self.doubts, self.killed, self.late = [], [], 0, []

    def run(self):
        plan, end = Plan(self.args.seed, self.args.nodes), time.monotonic() + self.args.minutes * 60
        self.house.start()
        self.load.start()
        self.wait_for_mail(0)
        doubt = 0
        alone = self.args.nodes == 1
        for number in range(self.args.kills):
            if self.args.minutes and time.monotonic() > end:
                break
            pause, node, publisher_too = plan.next()
            self.house.keep_busy(publisher_too)
            time.sleep(pause)
            self.house.kill(node)
            self.killed += 1
            before = self.settled()
            # What nobody alive has on the wire is what this kill leaves in doubt. Of several nodes only the sum shows.
            left = self.house.in_flight() if alone else 0
            self.house.serve(node)
            self.wait_for_mail(before)
            now = self.house.in_doubt()
            self.doubts.append(left if alone else now - doubt)
            doubt = now
            if (number + 1) % 25 == 0:
                print(f"{number + 1} kills, {self.house.taken()} taken, {doubt} in doubt so far, "
                      f"{self.load.acknowledged()} acknowledged", flush=True)
        self.load.stop()
        self.finish()

    def settled(self):
        """What the relay has taken, once it has taken what the dead process had written."""
        seen = self.house.taken()
        for _ in range(20):
            time.sleep(0.02)
            before, seen = seen, self.house.taken()
            if before == seen:
                break
        return seen

    def wait_for_mail(self, before):
        """Until the relay has taken more than `before`; how long after the start that is."""
        began = self.house.last_start
        while self.house.taken() <= before:
            if time.monotonic() - began > RESUME_SECONDS_MAX * 4:
                self.late.append(time.monotonic() - began)
                print(f"BROKEN  nothing was sent for {time.monotonic() - began:.0f} s after a start", flush=True)
                return
            self.house.keep_busy(False)
            time.sleep(0.01)
        self.resumes.append(time.monotonic() - began)

    def finish(self):
        """Everything that can go goes; then nothing runs any more, and the rows are final."""
        self.house.finish_publishing()
        end = time.monotonic() + FINISH_SECONDS_MAX
        while (left := self.house.unfinished()) and time.monotonic() < end:
            time.sleep(0.3)
        if left:
            print(f"BROKEN  {left} rows were still unfinished after {FINISH_SECONDS_MAX} s", flush=True)
        self.house.stop()

    def judge(self):
        check = Check(self.house, self.load, self.args, self.killed, self.doubts)
        check.all()
        resumed = sorted(self.resumes)
        slow = [seconds for seconds in resumed if seconds > RESUME_SECONDS_MAX]
        if slow:
            check.broken("P7", f"{len(slow)} starts took more than {RESUME_SECONDS_MAX} s to send again, {max(slow):.1f} at worst")
        line = check.figures() | {
            "resume_p50_s": round(percentile(resumed, 50), 2),
            "resume_p99_s": round(percentile(resumed, 99), 2),
            "resume_max_s": round(max(resumed, default=0), 2),
            "seed": self.args.seed, "engine": self.args.engine, "nodes": self.args.nodes,
        }
        print("torture: " + ", ".join(f"{name} {value}" for name, value in line.items()), flush=True)
        return 1 if check.failures or self.late else 0


def main():
    args = arguments()
    if args.nodes > 1 and args.engine != "postgres":
        sys.exit("several nodes need --engine postgres: SQLite is one process's")
    torture = Torture(args)
    # Asked to stop, it ends its own processes all the same.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    code = 1
    try:
        torture.run()
        code = torture.judge()
    finally:
        torture.load.stop()
        torture.house.kill_all()
        if args.keep or code:
            print(f"everything is in {torture.folder}", file=sys.stderr)
        else:
            shutil.rmtree(torture.folder, ignore_errors=True)
            torture.house.drop()
    return code


if __name__ == "__main__":
    sys.exit(main())
