#!/usr/bin/env python3
"""The demo as its visitor meets it, without a browser: how fast it is, what it catches, that it goes on.

    demo.py MAILS      leaves some of the caught mails and the DNS rows in the folder MAILS, for verify_mail.py
"""

import shutil
import sys
import tempfile
import time
from email import message_from_bytes, policy
from pathlib import Path

from house import Checks, Demo, get, wait_until

FIRST_SECONDS_MAX, ALL_SECONDS_MAX = 20, 60
READERS = 500
KEPT = 12


def catches_everything(demo, checks):
    wait_until(lambda: demo.api("messages?limit=1")["total"], FIRST_SECONDS_MAX + 10)
    first = demo.seconds()
    checks.that(first <= FIRST_SECONDS_MAX, f"the first mail is caught within {FIRST_SECONDS_MAX} s, not {first:.1f}")
    wait_until(lambda: demo.api("messages?limit=1")["total"] >= READERS, ALL_SECONDS_MAX)
    all_of_them = demo.seconds()
    checks.that(all_of_them <= ALL_SECONDS_MAX, f"all are caught within {ALL_SECONDS_MAX} s, not {all_of_them:.1f}")
    print(f"first mail after {first:.1f} s, all {READERS} after {all_of_them:.1f} s")
    time.sleep(2)
    mails = demo.api("messages?limit=10000")
    addresses = [mail["To"][0]["Address"] for mail in mails["messages"]]
    checks.that(mails["total"] == READERS, f"{READERS} mails and not {mails['total']}")
    checks.that(len(set(addresses)) == len(addresses), "nobody got two")
    checks.that(all(address.endswith(".example") for address in addresses), "every reader is invented")
    return mails["messages"]


def mails_are_read_by_others(demo, mails, folder, checks):
    """Leaves some for verify_mail.py, and looks at one with Python's own parser."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dns.txt").write_text(demo.dns())
    for place, mail in enumerate(mails[:: max(1, len(mails) // KEPT)][:KEPT]):
        (folder / f"{place}.eml").write_bytes(demo.raw(mail["ID"]))
    message = message_from_bytes(demo.raw(mails[0]["ID"]), policy=policy.default)
    checks.that(message["subject"] == mails[0]["Subject"], "Python reads the subject that the catcher shows")
    text = message.get_body(("plain",)).get_content()
    for emoji in ["🇳🇴", "👩🏽‍🔬", "🗺️"]:
        checks.that(emoji in text, f"{emoji} survives in the text part")


def goes_on(data, checks):
    """Started again on the same folder: nothing is made or sent again."""
    again = Demo(data)
    time.sleep(3)
    checks.that("has gone out already" in again.said, "the second start says that the issue has gone out")
    checks.that(again.api("messages?limit=1")["total"] == READERS, "the second start sends nothing")
    checks.that(again.stop() == 0, "it stops cleanly again")


def main():
    folder, checks = Path(sys.argv[1]), Checks()
    data = Path(tempfile.mkdtemp(prefix="broadsheet-demo-"))
    try:
        demo = Demo(data / "demo")
        try:
            for page in ["/desk", "/catcher", "/tidewater", "/tidewater/archive", "/tidewater/feed.xml", "/readyz"]:
                checks.that(get(demo.url + page)[0] == 200, f"{page} is there at once")
            mails_are_read_by_others(demo, catches_everything(demo, checks), folder, checks)
        finally:
            code = demo.stop()
        checks.that(code == 0, f"Ctrl-C ends it with 0, not {code}")
        goes_on(data / "demo", checks)
    finally:
        shutil.rmtree(data, ignore_errors=True)
    return checks.end()


if __name__ == "__main__":
    sys.exit(main())
