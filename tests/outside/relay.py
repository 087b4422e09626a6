#!/usr/bin/env python3
"""An issue goes through Debian's Postfix, as through anybody's relay, into a catcher: every reader once, and the
signatures still hold at the other end. The commands are those of the README.

    relay.py MAILS     leaves some of the mails and the DNS rows in the folder MAILS, for verify_mail.py
"""

import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from house import ROOT, Checks, Demo, Running, as_owner, dns, run, wait_until

READERS = 200
SECONDS_MAX = 120
KEPT = 5


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def newsletter(data, port):
    """Made, with its readers and an issue, by the command line; gives the issue's id."""
    readers = data / "readers.csv"
    rows = "".join(f"reader{n}@postfix.example,Reader {n}\n" for n in range(READERS))
    readers.write_text("email,name\n" + rows)
    run("--data", data / "real", "newsletter", "create", "The Tidewater Brief", "--slug", "tidewater",
        "--from", "Ines <brief@tidewater.example>", "--postal-address", "Quay House, Port Ellery",
        "--zone", "Europe/Lisbon", "--relay", f"smtp://127.0.0.1:{port}")
    run("--data", data / "real", "subscriber", "import", readers, "--newsletter", "tidewater",
        "--consent", "signed up at the spring fair", "--yes")
    added = run("--data", data / "real", "issue", "add", ROOT / "demo/31.md", "--newsletter", "tidewater", "--json")
    return json.loads(added)["id"]


def story(data, catcher, folder, checks):
    port = free_port()
    postfix = subprocess.Popen(
        [ROOT / "scripts/postfix-relay", str(port), "--to", catcher.smtp], stdout=subprocess.PIPE, text=True)
    try:
        if not checks.that(postfix.stdout.readline().strip() == "ready", "Postfix answers"):
            return
        issue = newsletter(data, port)
        run("--data", data / "real", "issue", "send", issue, "--hold", "0s", "--yes")
        serve = Running("--data", data / "real", "serve", "--listen", "127.0.0.1:0", until="/desk/setup/")
        status = lambda: json.loads(run("--data", data / "real", "issue", "status", issue, "--json"))
        wait_until(lambda: status()["state"] == "sent", SECONDS_MAX, every=0.5)
        now = status()
        checks.that((now["audience"], now["sent"]) == (READERS, READERS), f"the ledger says all are sent: {now}")
        wait_until(lambda: catcher.found("to:@postfix.example")["messages_count"] >= READERS, SECONDS_MAX)
        mails = catcher.found("to:@postfix.example")["messages"]
        addresses = {mail["To"][0]["Address"] for mail in mails}
        checks.that(len(mails) == READERS and len(addresses) == READERS,
                    f"{READERS} readers, {len(mails)} mails to {len(addresses)} of them")
        leave_some(catcher, mails, folder)
        link = re.search(r"http://\S+/desk/setup/\S+", serve.said)[0]
        (folder / "dns.txt").write_text(dns(as_owner(link, "/desk/n/tidewater/deliverability")))
        checks.that(serve.stop() == 0, "serve ends with 0")
    finally:
        postfix.terminate()
        postfix.wait(timeout=30)


def leave_some(catcher, mails, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for place, mail in enumerate(mails[:KEPT]):
        (folder / f"{place}.eml").write_bytes(catcher.raw(mail["ID"]))


def main():
    folder, checks = Path(sys.argv[1]), Checks()
    data = Path(tempfile.mkdtemp(prefix="broadsheet-relay-"))
    catcher = Demo(data / "catcher", readers=1)
    try:
        story(data, catcher, folder, checks)
    finally:
        catcher.stop()
        shutil.rmtree(data, ignore_errors=True)
    return checks.end()


if __name__ == "__main__":
    sys.exit(main())
