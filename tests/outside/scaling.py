#!/usr/bin/env python3
"""Sends one issue through 1, 2, 3 … nodes on a Postgres of its own, into a relay that takes its time. Prints the rate of
each, its ratio to one node, and what a delivery cost: CPU of the database and of the nodes, bytes of WAL, bytes on disk.
See scripts/scaling.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

if not os.environ.get("BROADSHEET"):
    os.environ["BROADSHEET"] = str(Path(__file__).resolve().parents[2] / "target/release/broadsheet")

from torture_house import House, free_port, psql  # noqa: E402

# The first and last tenth of a sending start and end; the middle is its speed.
EDGE = 0.1
SECONDS_MAX = 600
TICKS = os.sysconf("SC_CLK_TCK")


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/scaling", description=__doc__)
    parser.add_argument("--nodes", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--readers", type=int, default=6000)
    parser.add_argument("--reply-ms", type=int, default=20, help="how long the relay thinks after a message")
    parser.add_argument("--connections", type=int, default=10, help="of each node")
    parser.add_argument("--chunking", action="store_true", help="the relay offers BDAT, so that windows are used")
    parser.add_argument("--partitions", type=int, default=0, help="split the ledger into so many tables")
    parser.add_argument("--by", choices=["issue_id", "subscriber_id"], default="issue_id", help="what a row's part is chosen by")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


class Postgres:
    """A server of our own: nobody else's work is in its figures."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="broadsheet-scaling-"))
        self.bin = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
        self.owner = []
        if os.getuid() == 0:
            # It refuses to run as root.
            shutil.chown(self.folder, "postgres", "postgres")
            self.owner = ["runuser", "-u", "postgres", "--"]
        port = free_port()
        self._run("initdb", "-D", self.folder / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale")
        self._run("pg_ctl", "-D", self.folder / "data", "-w", "-l", self.folder / "log", "-o",
                  f"-p {port} -c listen_addresses=127.0.0.1 -c max_connections=300 -k {self.folder}", "start")
        self.url = f"postgres://postgres@127.0.0.1:{port}/postgres"

    def _run(self, program, *arguments):
        subprocess.run([*self.owner, self.bin / program, *arguments], check=True, cwd="/",
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def cpu_seconds(self):
        pid = int((self.folder / "data/postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        # With those of its children that have ended.
        return sum(cpu_seconds(child) for child in children) + cpu_seconds(pid, and_waited_for=True)

    def stop(self):
        self._run("pg_ctl", "-D", self.folder / "data", "-m", "immediate", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)


def cpu_seconds(pid, and_waited_for=False):
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return sum(int(field) for field in fields[11:15 if and_waited_for else 13]) / TICKS


def measure(postgres, args, nodes):
    folder = Path(tempfile.mkdtemp(prefix="broadsheet-scaling-"))
    os.environ["TEST_POSTGRES_URL"] = postgres.url
    wanted = argparse.Namespace(engine="postgres", nodes=nodes, readers=args.readers, chunking=args.chunking,
                                reply_ms=args.reply_ms, bound=64)
    os.environ["BROADSHEET_CONNECTIONS_MAX"] = str(args.connections)
    house = House(folder, wanted)
    # The readers first and the issue last: what is measured is sending.
    house.publish = lambda dies=False: None
    try:
        house.start()
        number = lambda sql: int(next(iter(psql(postgres.url, sql, house.schema)[0].values())))
        if args.partitions:
            psql(postgres.url, partitioned(args.partitions, args.by), house.schema)
        issue = house._add()
        wal, cpu, ours = number("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"), postgres.cpu_seconds(), own_cpu(house)
        house.command("issue", "send", str(issue), "--hold", "0s", "--yes")
        frozen = number("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")
        end = time.monotonic() + SECONDS_MAX
        while house.taken() < args.readers and time.monotonic() < end:
            time.sleep(0.05)
        while house.unfinished() and time.monotonic() < end:
            time.sleep(0.05)
        wal_end = number("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")
        cpu, ours = postgres.cpu_seconds() - cpu, own_cpu(house) - ours
        table = number(f"SELECT sum(pg_table_size(relid)) {PARTS}")
        indexes = number(f"SELECT sum(pg_indexes_size(relid)) {PARTS}")
        house.stop()
        times = sorted(accepted["at"] for accepted in house.accepted())
        assert len(times) == args.readers == len({tuple(a["to"]) for a in house.accepted()}), "lost or doubled"
        edge = int(len(times) * EDGE)
        rate = (len(times) - 2 * edge) * 1000 / max(1, times[-edge - 1] - times[edge])
        per = args.readers
        return {"nodes": nodes, "per_second": round(rate), "postgres_cpu_us": round(cpu / per * 1e6),
                "nodes_cpu_us": round(ours / per * 1e6), "wal_bytes": round((wal_end - frozen) / per),
                "freeze_wal_bytes": round((frozen - wal) / per), "table_bytes": round(table / per),
                "index_bytes": round(indexes / per)}
    finally:
        house.kill_all()
        house.drop()
        shutil.rmtree(folder, ignore_errors=True)


# The table itself, or its partitions.
PARTS = "FROM (SELECT 'delivery'::regclass AS relid UNION SELECT relid FROM pg_partition_tree('delivery')) AS parts"


def partitioned(many, by):
    """The same table in so many parts: the program's statements stay as they are."""
    parts = [f"CREATE TABLE delivery_{n} PARTITION OF delivery FOR VALUES WITH (MODULUS {many}, REMAINDER {n})"
             for n in range(many)]
    return "; ".join([
        "ALTER TABLE delivery RENAME TO delivery_whole",
        f"CREATE TABLE delivery (LIKE delivery_whole INCLUDING ALL) PARTITION BY HASH ({by})",
        *parts, "DROP TABLE delivery_whole"])


def own_cpu(house):
    return sum(cpu_seconds(node.process.pid) for node in house.nodes)


def main():
    args = arguments()
    postgres = Postgres()
    try:
        rows = [measure(postgres, args, nodes) for nodes in args.nodes]
    finally:
        postgres.stop()
    for row in rows:
        row["ratio"] = round(row["per_second"] / rows[0]["per_second"], 2)
    if args.json:
        print(json.dumps(rows))
        return 0
    print(f"{args.readers} readers, {args.connections} connections a node, the relay thinks for {args.reply_ms} ms"
          f"{', BDAT' if args.chunking else ''}{f', ledger in {args.partitions} parts by {args.by}' if args.partitions else ''}; CPU and bytes are of one delivery")
    heads = ["nodes", "per_second", "ratio", "postgres_cpu_us", "nodes_cpu_us", "wal_bytes", "freeze_wal_bytes",
             "table_bytes", "index_bytes"]
    print("  ".join(heads))
    for row in rows:
        print("  ".join(str(row[head]).rjust(len(head)) for head in heads))
    return 0


if __name__ == "__main__":
    sys.exit(main())
