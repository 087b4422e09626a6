"""The house that is tortured: nodes, relay, database, and the issues that keep it busy."""

import csv
import io
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import time
import urllib.parse
import uuid
from pathlib import Path

from house import BINARY

SLUG = "torture"
START_SECONDS_MAX = 60
ISSUE = "---\nsubject: Torture {n}\npreheader: What number {n} brings\n---\n\nGood morning.\n\n## A boat on the sand\n\nIt was there at dawn, number {n}, and nobody had heard it come.\n"
# Rows that may still be in hand when the next issue is made.
LOW_WATER = 150


class Node:
    """A `serve`, its folder and its port."""

    def __init__(self, folder, port):
        self.folder, self.port, self.process = folder, port, None
        self.url = f"http://127.0.0.1:{port}"


class House:
    def __init__(self, folder, args):
        self.folder, self.args = folder, args
        self.truth, self.mails = folder / "truth.jsonl", folder / "mails"
        self.schema = f"broadsheet_torture_{uuid.uuid4().hex[:12]}"
        self.database = self._schema() if args.engine == "postgres" else None
        self.nodes = [Node(folder / f"node{n}", free_port()) for n in range(args.nodes)]
        self.issues, self.publishing, self.last_start = [], None, time.monotonic()
        self.bound = args.bound
        self.starts = []
        self._truth_file, self._taken = None, 0

    # --- the database, from outside

    def _schema(self):
        url = os.environ.get("TEST_POSTGRES_URL")
        if not url:
            raise SystemExit("--engine postgres needs TEST_POSTGRES_URL; nothing was started")
        self.server = url
        psql(url, f"CREATE SCHEMA {self.schema}")
        return f"{url}{'&' if '?' in url else '?'}options[search_path]={self.schema}"

    def drop(self):
        if self.database:
            psql(self.server, f"DROP SCHEMA {self.schema} CASCADE")

    def rows(self, sql):
        """Dicts; every value is what the database says, as text on Postgres and as its own kind on SQLite."""
        if self.database:
            return psql(self.server, sql, self.schema)
        path = self.nodes[0].folder / "broadsheet.db"
        # Read-only: a connection of another SQLite version must never be the one that checkpoints.
        connection = sqlite3.connect(f"file:{urllib.parse.quote(str(path))}?mode=ro", uri=True, timeout=30)
        try:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(sql)]
        finally:
            connection.close()

    def number(self, sql):
        return int(next(iter(self.rows(sql)[0].values())) or 0)

    def in_doubt(self):
        """Of issues and letters, with what a crash has left in flight and nobody has looked at yet."""
        return self.number("SELECT count(*) AS n FROM delivery WHERE state = 'in_doubt'")

    def in_flight(self):
        return self.number("SELECT count(*) AS n FROM delivery WHERE state = 'inflight'")

    def unfinished(self):
        now = int(time.time() * 1000)
        return self.number(
            "SELECT (SELECT count(*) FROM delivery WHERE state IN ('pending', 'claimed', 'inflight')"
            f" AND next_at < {now + 120_000}) +"
            " (SELECT count(*) FROM letter WHERE state IN ('claimed', 'inflight')) +"
            f" (SELECT count(*) FROM letter WHERE state = 'pending' AND next_at < {now + 120_000}) +"
            " (SELECT count(*) FROM issue WHERE state = 'sending') AS n")

    # --- the truth

    def taken(self):
        """Messages that the relay took so far, counted from the file's new lines."""
        if self._truth_file is None:
            if not self.truth.exists():
                return 0
            self._truth_file = self.truth.open("rb")
        self._taken += self._truth_file.read().count(b"\n")
        return self._taken

    def accepted(self):
        return [json.loads(line) for line in self.truth.read_text().splitlines()]

    # --- processes

    def start(self):
        rules = ["--rule", f"dot-after-log:delay({self.args.reply_ms})"] if self.args.reply_ms else []
        chunking = ["--chunking"] if self.args.chunking else []
        self.relay = subprocess.Popen(
            [BINARY, "--json", "faultsmtpd", "--truth", self.truth, "--keep", self.mails, *chunking, *rules],
            stdout=subprocess.PIPE, text=True)
        self.relay_url = "smtp://" + json.loads(self.relay.stdout.readline())["listening"]
        for node in self.nodes:
            node.folder.mkdir(parents=True)
            lines = ["hold_seconds = 0", f'public_url = "{self.nodes[0].url}"']
            if self.database:
                lines.append(f'database = "{self.database}"')
            (node.folder / "broadsheet.toml").write_text("\n".join(lines) + "\n")
        self.command("newsletter", "create", "Torture", "--slug", SLUG, "--from", "Ines <brief@tidewater.example>",
                     "--postal-address", "Quay House, Port Ellery", "--zone", "Europe/Lisbon", "--relay", self.relay_url)
        # So many sign-ups a second are what the guards call a spike; what is tortured here is the ledger.
        self.command("form", "set", SLUG, "main", "--challenge", "off")
        readers = self.folder / "readers.csv"
        readers.write_text("email,name\n" + "".join(
            f"reader{n}@readers.example,Reader {n}\n" for n in range(self.args.readers)))
        self.command("subscriber", "import", readers, "--newsletter", SLUG, "--consent", "invented", "--yes")
        for number in range(len(self.nodes)):
            self.serve(number)
        for _ in range(2):
            self.publish()
        if self.bound is None:
            self.bound = self._bound()

    def _bound(self):
        """What the operator is told may be in doubt after a kill; connections × window, 64 if nothing else is said."""
        said = run_json(self.command_line("config", "show", "--json"))
        for name in ("in_flight_max", "in_doubt_max", "window_total_max"):
            if isinstance(said, dict) and name in said:
                return int(said[name].get("value", 64) if isinstance(said[name], dict) else said[name])
        return 64

    def command_line(self, *arguments, node=0):
        return [BINARY, "--data", self.nodes[node].folder, *arguments]

    def command(self, *arguments):
        done = subprocess.run(self.command_line(*arguments), capture_output=True, text=True, timeout=120)
        if done.returncode:
            raise RuntimeError(f"{arguments}: {done.stderr}{done.stdout}")
        return done.stdout

    def serve(self, number):
        node = self.nodes[number]
        log = (node.folder / "serve.log").open("ab")
        self.last_start = time.monotonic()
        node.process = subprocess.Popen(
            self.command_line("serve", "--listen", f"127.0.0.1:{node.port}", node=number),
            stdout=subprocess.PIPE, stderr=log, text=True)
        log.close()
        for line in node.process.stdout:
            if " serves " in line:
                break
        else:
            raise RuntimeError(f"serve ended at once; see {node.folder}/serve.log")
        self.starts.append(time.monotonic() - self.last_start)

    def kill(self, number):
        process = self.nodes[number].process
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()

    def kill_all(self):
        for process in [node.process for node in self.nodes] + [getattr(self, "relay", None), self.publishing]:
            if process and process.poll() is None:
                process.kill()
                process.wait()

    def stop(self):
        for node in self.nodes:
            node.process.send_signal(signal.SIGTERM)
        for node in self.nodes:
            code = node.process.wait(timeout=60)
            if code:
                print(f"BROKEN  P8: serve ended with {code} when asked to stop", flush=True)

    # --- issues

    def _add(self):
        number = len(self.issues) + 1
        path = self.folder / "issue.md"
        path.write_text(ISSUE.format(n=number))
        added = json.loads(self.command("issue", "add", path, "--newsletter", SLUG, "--json"))
        self.issues.append(added["id"])
        return added["id"]

    def publish(self, dies=False):
        """Begins to publish another issue, by a process beside the server; it may be killed on its way."""
        self.publishing = None
        issue = self._add()
        self.publishing = subprocess.Popen(
            self.command_line("issue", "send", str(issue), "--hold", "0s", "--yes"),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if dies:
            time.sleep(0.15)
            self.publishing.kill()
        self.publishing.wait(timeout=120)
        self.publishing = None

    def keep_busy(self, dies):
        """So that there is something to send when the kill comes."""
        left = self.number("SELECT count(*) AS n FROM delivery WHERE state IN ('pending', 'claimed')")
        if left < LOW_WATER:
            self.again()
            self.publish(dies)

    def again(self):
        """Publishes what was left a draft by a publisher that was killed."""
        for row in self.rows("SELECT subject FROM issue WHERE state = 'draft'"):
            number = int(row["subject"].split()[1])
            self.command("issue", "send", self.issues[number - 1], "--hold", "0s", "--yes")

    def finish_publishing(self):
        self.again()


def free_port():
    import socket
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def run_json(command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    try:
        return json.loads(done.stdout)
    except ValueError:
        return {}


def psql(url, sql, schema=None):
    program = shutil.which("psql") or sorted(Path("/usr/lib/postgresql").glob("*/bin/psql"))[-1]
    environment = dict(os.environ)
    if schema:
        environment["PGOPTIONS"] = f"-c search_path={schema}"
    done = subprocess.run([program, "-X", "-q", "--csv", "-v", "ON_ERROR_STOP=1", "-c", sql, url],
                          capture_output=True, text=True, timeout=120, env=environment)
    if done.returncode:
        raise RuntimeError(f"psql: {done.stderr}")
    return list(csv.DictReader(io.StringIO(done.stdout)))
