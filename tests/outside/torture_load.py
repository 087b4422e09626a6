"""Readers who come and go while the house is tortured, and what they were told."""

import http.client
import json
import random
import re
import threading
import time
import urllib.parse

from torture_house import SLUG

# Between two visits of one kind.
PAUSE_SECONDS = 0.3


class Load:
    """Signs up, confirms, unsubscribes. An answer counts when its status and body were read to the end."""

    def __init__(self, house, seed):
        self.house, self.random = house, random.Random(seed * 7919)
        self.signed_up, self.confirmed, self.left = {}, {}, {}
        self.sent = {"sign-up": 0, "confirm": 0, "unsubscribe": 0}
        self.refused = {}
        self.ledger = (house.folder / "load.jsonl").open("a", buffering=1)
        self.ending, self.threads = threading.Event(), []
        self.tokens, self.links, self._looked, self._unread = {}, {}, set(), None

    def start(self):
        for work in (self.come, self.confirm, self.go, self.read_mail):
            thread = threading.Thread(target=work, daemon=True)
            thread.start()
            self.threads.append(thread)

    def stop(self):
        self.ending.set()
        for thread in self.threads:
            thread.join(timeout=30)
        self.threads = []

    def acknowledged(self):
        return len(self.signed_up) + len(self.confirmed) + len(self.left)

    def post(self, kind, path, form, headers=None):
        """Whether it was acknowledged, and when that was."""
        node = self.random.choice(self.house.nodes)
        connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=20)
        try:
            self.sent[kind] += 1
            all_headers = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"}
            connection.request("POST", path, urllib.parse.urlencode(form), all_headers | (headers or {}))
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                self.refused[answer.status] = self.refused.get(answer.status, 0) + 1
            return answer.status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def note(self, kind, address):
        at = time.time()
        self.ledger.write(json.dumps({"at": at, "kind": kind, "address": address}) + "\n")
        return at

    def come(self):
        number = 0
        while not self.ending.wait(PAUSE_SECONDS):
            number += 1
            address = f"new{number}@readers.example"
            # Every one from another network, as in life.
            network = f"10.{number // 250 % 250}.{number % 250}.9"
            if self.post("sign-up", f"/{SLUG}/subscribe", {"email": address}, {"x-forwarded-for": network}):
                self.signed_up[address] = self.note("sign-up", address)

    def confirm(self):
        while not self.ending.wait(PAUSE_SECONDS):
            for address, path in list(self.links.items()):
                if address not in self.confirmed and self.post("confirm", path, {}):
                    self.confirmed[address] = self.note("confirm", address)
                    break

    def go(self):
        while not self.ending.wait(PAUSE_SECONDS):
            here = [address for address in list(self.tokens) if address not in self.left]
            # The house must not run empty.
            if len(here) < 50:
                continue
            address = self.random.choice(here)
            form = {"List-Unsubscribe": "One-Click"}
            if self.post("unsubscribe", self.tokens[address], form):
                self.left[address] = self.note("unsubscribe", address)

    def read_mail(self):
        """What readers need is in their mail."""
        while not self.ending.wait(PAUSE_SECONDS):
            for accepted in self.new_mail():
                path = self.house.mails / f"{accepted['sha256']}.eml"
                address = accepted["to"][0]
                known = self.tokens if accepted["subject"].startswith("Torture ") else self.links
                if address in known or not path.exists():
                    continue
                text = path.read_bytes().decode("utf-8", "replace").replace("=\r\n", "")
                wanted = r"List-Unsubscribe: <https?://[^/]+(/r/[^>]+)>" if known is self.tokens else r"https?://[^/]+(/c/[A-Za-z0-9._-]+)"
                found = re.search(wanted, text.replace("\r\n ", ""))
                if found:
                    known[address] = found[1]

    def new_mail(self):
        if self._unread is None:
            if not self.house.truth.exists():
                return []
            self._unread = self.house.truth.open("r")
        lines = []
        while line := self._unread.readline():
            if not line.endswith("\n"):
                self._unread.seek(self._unread.tell() - len(line))
                break
            lines.append(json.loads(line))
        return lines
