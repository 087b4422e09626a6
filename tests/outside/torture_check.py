"""Joins the database, the relay's truth and the readers' ledger; INV1 to INV13 of the test programme."""

import json
import random
from collections import Counter, defaultdict

# What is on the wire when a reader leaves may still arrive; on a busy machine this late.
WIRE_SECONDS = 3.0
# Issues whose printed counts are compared with their rows.
STATUS_SAMPLE = 8
SHOWN_MAX = 10


def percentile(ordered, percent):
    if not ordered:
        return 0.0
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


class Check:
    def __init__(self, house, load, args, kills, doubts):
        self.house, self.load, self.args, self.kills, self.doubts = house, load, args, kills, doubts
        self.failures, self.shown = 0, Counter()
        self.accepted = house.accepted()
        self.rows = house.rows(
            "SELECT d.*, i.subject, i.state AS issue_state, i.published_at FROM delivery d"
            " JOIN issue i ON i.id = d.issue_id")
        self.copies = defaultdict(list)
        for accepted in self.accepted:
            self.copies[(accepted["subject"], accepted["to"][0] if accepted["to"] else "")].append(accepted)
        self.lost = self.inside = self.outside = 0

    def broken(self, invariant, what, row=None):
        self.failures += 1
        self.shown[invariant] += 1
        if self.shown[invariant] <= SHOWN_MAX:
            print(f"BROKEN  {invariant}: {what}", flush=True)
            if row is not None:
                self.history(row)

    def history(self, row):
        shown = {name: value for name, value in row.items() if value not in (None, "")}
        print(f"        row {json.dumps(shown, default=str)}")
        for accepted in self.copies[(row["subject"], row["address"])]:
            print(f"        taken {json.dumps(accepted)}")
        attempts = self.house.rows(
            f"SELECT * FROM attempt WHERE issue_id = {row['issue_id']} AND subscriber_id = {row['subscriber_id']}")
        for attempt in attempts:
            print(f"        attempt {json.dumps(attempt, default=str)}")

    def all(self):
        self.people()
        self.audiences()
        self.every_row()
        self.truth()
        self.doubt()
        self.leavers()
        self.fired_once()
        self.counts()
        self.sound()

    def people(self):
        """INV1: whoever was told yes is there."""
        status = {row["address"]: row["status"] for row in self.house.rows(
            "SELECT s.address, u.status FROM subscriber s JOIN subscription u ON u.subscriber_id = s.id")}
        letters = {row["address"] for row in self.house.rows("SELECT address FROM letter")}
        for address in self.load.signed_up:
            if address not in status:
                self.broken("INV1", f"{address} was told “look in your mail” and is not known")
            if address not in letters:
                self.broken("INV1", f"{address} was told “look in your mail” and no letter was written")
        for address in self.load.confirmed:
            if status.get(address) not in ("active", "unsubscribed"):
                self.broken("INV1", f"{address} confirmed and is {status.get(address)}")
        for address in self.load.left:
            if status.get(address) != "unsubscribed":
                self.broken("INV1", f"{address} left and is {status.get(address)}")

    def audiences(self):
        """INV2, INV3: as many rows as the audience; a sent issue has no unfinished row."""
        rows = Counter(str(row["issue_id"]) for row in self.rows)
        unfinished = Counter(
            str(row["issue_id"]) for row in self.rows if row["state"] in ("pending", "claimed", "inflight"))
        for issue in self.house.rows("SELECT id, state, audience FROM issue"):
            key = str(issue["id"])
            if rows[key] != int(issue["audience"]):
                self.broken("INV2", f"issue {key} has {rows[key]} rows and an audience of {issue['audience']}")
            if issue["state"] == "sent" and unfinished[key]:
                self.broken("INV3", f"issue {key} is sent and has {unfinished[key]} unfinished rows")
            if issue["state"] not in ("sent", "draft"):
                self.broken("INV3", f"issue {key} is {issue['state']} at the end")

    def every_row(self):
        """INV4, INV5: what the row says is what the relay took."""
        for row in self.rows:
            taken = len(self.copies[(row["subject"], row["address"])])
            if row["state"] == "sent" and taken == 0:
                self.lost += 1
                self.broken("INV4", "sent, and never taken", row)
            elif row["state"] in ("failed", "skipped") and taken:
                self.broken("INV4", f"{row['state']}, and taken", row)
            elif row["state"] in ("pending", "claimed", "inflight"):
                self.lost += 1
                self.broken("INV3", f"still {row['state']} at the end", row)
            if taken > 1:
                # Nobody said resend: in doubt or not, a second copy is one too many.
                if row["state"] == "in_doubt":
                    self.inside += 1
                else:
                    self.outside += 1
                self.broken("INV5", f"taken {taken} times", row)

    def truth(self):
        """INV8, INV12: one receiver each, the one in To; copies are the same bytes. And nothing that no row knows."""
        known = {(row["subject"], row["address"]) for row in self.rows}
        for key, copies in self.copies.items():
            if len({copy["message_id"] for copy in copies}) > 1 and key in known:
                self.broken("INV8", f"{key} was sent under two Message-IDs")
            if key[0].startswith("Torture ") and key not in known:
                self.broken("INV2", f"the relay took {key}, which no row knows")
        by_id = defaultdict(set)
        for accepted in self.accepted:
            by_id[accepted["message_id"]].add(accepted["to"][0] if accepted["to"] else "")
            if len(accepted["to"]) != 1:
                self.broken("INV12", f"one message to {len(accepted['to'])} receivers")
                continue
            path = self.house.mails / f"{accepted['sha256']}.eml"
            head = path.read_bytes().partition(b"\r\n\r\n")[0].decode("utf-8", "replace").replace("\r\n ", " ")
            to = [line for line in head.split("\r\n") if line.lower().startswith("to:")]
            if len(to) != 1 or accepted["to"][0] not in to[0]:
                self.broken("INV12", f"the To of a message to {accepted['to'][0]} is {to}")
        for message_id, receivers in by_id.items():
            if len(receivers) > 1:
                self.broken("INV12", f"{message_id} went to {len(receivers)} receivers")

    def doubt(self):
        """INV6: a kill leaves no more in doubt than the operator was told."""
        total = sum(row["state"] == "in_doubt" for row in self.rows)
        if total > self.kills * self.house.bound:
            self.broken("INV6", f"{total} in doubt after {self.kills} kills of at most {self.house.bound} each")
        if max(self.doubts, default=0) > self.house.bound:
            self.broken("INV6", f"one kill left {max(self.doubts)} in doubt, the bound is {self.house.bound}")

    def leavers(self):
        """INV7: nothing is sent to whoever has left."""
        for accepted in self.accepted:
            left = self.load.left.get(accepted["to"][0] if accepted["to"] else "")
            if left and accepted["subject"].startswith("Torture ") and accepted["at"] / 1000 > left + WIRE_SECONDS:
                late = accepted["at"] / 1000 - left
                self.broken("INV7", f"{accepted['to'][0]} left, and was sent “{accepted['subject']}” {late:.1f} s later")
        for row in self.rows:
            left = self.load.left.get(row["address"])
            if left and row["state"] == "sent" and int(row["published_at"] or 0) / 1000 > left:
                self.broken("INV7", "left before the issue was published, and it was sent", row)

    def fired_once(self):
        """INV9: no slot twice, no issue published twice."""
        for row in self.house.rows(
                "SELECT newsletter_id, wall, count(*) AS n FROM slot GROUP BY newsletter_id, wall HAVING count(*) > 1"):
            self.broken("INV9", f"slot {row} fired more than once")
        for row in self.house.rows(
                "SELECT issue_id, count(*) AS n FROM event WHERE kind = 'issue.published' GROUP BY issue_id"
                " HAVING count(*) > 1"):
            self.broken("INV9", f"issue {row['issue_id']} was published {row['n']} times")

    def counts(self):
        """INV11: what the command prints is what the rows say; sent and taken add up (INV10 would break these too)."""
        numbered = list(enumerate(self.house.issues, 1))
        for number, issue in random.Random(self.args.seed).sample(numbered, min(STATUS_SAMPLE, len(numbered))):
            said = json.loads(self.house.command("issue", "status", str(issue), "--json"))
            rows = Counter(row["state"] for row in self.rows if row["subject"] == f"Torture {number}")
            for state in ("sent", "failed", "skipped", "in_doubt"):
                if said.get(state, 0) != rows[state]:
                    self.broken("INV11", f"issue {issue}: status says {said.get(state)} {state}, the rows {rows[state]}")

    def sound(self):
        """INV13."""
        if self.house.database:
            return
        for pragma, fine in [("integrity_check", [["ok"]]), ("foreign_key_check", [])]:
            said = [list(row.values()) for row in self.house.rows(f"PRAGMA {pragma}")]
            if said != fine:
                self.broken("INV13", f"{pragma} says {said[:5]}")

    def figures(self):
        return {
            "kills": self.kills,
            "acknowledged": self.load.acknowledged(),
            "accepted": len(self.accepted),
            "lost": self.lost,
            "duplicates_inside": self.inside,
            "duplicates_outside": self.outside,
            "in_doubt": sum(row["state"] == "in_doubt" for row in self.rows),
            "worst_in_doubt_per_kill": max(self.doubts, default=0),
            "bound": self.house.bound,
            "issues": len(self.house.issues),
            "broken": self.failures,
        }
