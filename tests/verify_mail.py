#!/usr/bin/env python3
"""Verifies mails of ours with other people's programs: Python's email package and dkimpy.

    verify_mail.py --dns RECORDS [--letter] MAIL.eml ...

RECORDS is a file with one TXT record a line: its name, a space, its text (whole, or as quoted strings).
Prints one line a mail; exits 1 if any of them fails, 2 if it is called wrongly.
"""

import argparse
import email
import email.policy
import re
import sys
from pathlib import Path

import dkim

# A list's mail has each of these exactly once (RFC 5322 section 3.6, RFC 8058, RFC 2919).
OF_EVERY_MAIL = ["From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"]
OF_A_LIST = ["List-Id", "List-Unsubscribe", "List-Unsubscribe-Post", "Feedback-ID", "Precedence"]
# Listed once more than they stand, so that none can be added.
OVERSIGNED = ["from", "to", "subject", "date", "message-id", "reply-to", "content-type", "list-unsubscribe",
              "list-unsubscribe-post"]
LINE_OCTETS_MAX = 998
QUOTED_OCTETS_MAX = 76
CLIP_BYTES = 102_400


def records(path):
    """The TXT records of a file, by name."""
    found = {}
    for line in Path(path).read_text().splitlines():
        name, _, text = line.strip().partition(" ")
        if name:
            found[name.rstrip(".").lower()] = "".join(re.findall(r'"([^"]*)"', text)) or text.strip()
    return found


def bytes_are_plain(raw):
    """M-01 to M-03: CRLF, no NUL, seven bits, no long lines."""
    if re.search(rb"[^\r]\n|\r[^\n]|\0", raw) or not raw.endswith(b"\r\n"):
        yield "line ends are not all CRLF"
    if any(byte >= 0x80 for byte in raw):
        yield "there are bytes beyond ASCII"
    longest = max(len(line) for line in raw.split(b"\r\n"))
    if longest > LINE_OCTETS_MAX:
        yield f"a line has {longest} octets"
    body = raw.partition(b"\r\n\r\n")[2]
    quoted = max(len(line) for line in body.split(b"\r\n"))
    if quoted > QUOTED_OCTETS_MAX:
        yield f"a line of the body has {quoted} octets"


def headers_stand_once(mail, is_letter):
    """M-04, L-01, L-02, L-16, L-17."""
    names = [name.lower() for name in mail.keys()]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        yield f"more than once: {', '.join(twice)}"
    missing = [name for name in OF_EVERY_MAIL + ([] if is_letter else OF_A_LIST) if name.lower() not in names]
    if missing:
        yield f"missing: {', '.join(missing)}"
    if len(mail["To"].addresses) != 1 or len(mail["From"].addresses) != 1:
        yield "From and To do not each name one mailbox"
    if not re.fullmatch(r"<[^<>@\s]+@[^<>@\s]+>", str(mail["Message-ID"]).strip()):
        yield "the Message-ID is not one"
    if is_letter:
        if "list-unsubscribe-post" in names or mail["Auto-Submitted"] != "auto-generated":
            yield "a letter of the house promises one-click, or does not say that a program wrote it"
        return
    way_out = r"<https?://[!-~]+>,\s*<mailto:[!-~]+>"
    if not re.fullmatch(way_out, str(mail["List-Unsubscribe"]).strip()):
        yield "List-Unsubscribe is not an https link and then a mailto"
    if str(mail["List-Unsubscribe-Post"]).strip() != "List-Unsubscribe=One-Click":
        yield "List-Unsubscribe-Post is not what RFC 8058 says"
    if not re.search(r"<[a-z0-9._-]+\.[a-z0-9-]+>$", str(mail["List-Id"]).strip(), re.I):
        yield "List-Id is not a name in brackets"
    if not re.fullmatch(r"[^:]*:[^:]*:[^:]*:[A-Za-z0-9_-]{5,15}", str(mail["Feedback-ID"]).strip()):
        yield "Feedback-ID does not have its four fields"


def parts_are_two(mail, is_letter):
    """M-13, L-13, H-01: text first, HTML last, both with a way out."""
    if mail.get_content_type() != "multipart/alternative":
        yield f"the mail is {mail.get_content_type()}"
        return
    kinds = [(part.get_content_type(), part.get_content_charset()) for part in mail.iter_parts()]
    if kinds != [("text/plain", "utf-8"), ("text/html", "utf-8")]:
        yield f"the parts are {kinds}"
        return
    text, html = (part.get_content() for part in mail.iter_parts())
    if not text.strip():
        yield "the text part is empty"
    if len(html.encode()) > CLIP_BYTES:
        yield f"the HTML has {len(html.encode())} bytes, Gmail cuts it"
    if not re.search(r'<html[^>]* lang="[^"]+"[^>]* dir="(ltr|rtl)"', html) or not re.search(r"<title>[^<]", html):
        yield "the HTML does not say its language, direction or title"
    if any(' alt="' not in tag for tag in re.findall(r"<img[^>]*>", html)) or "data:image" in html:
        yield "a picture has no alt text, or is within the mail"
    link = re.search(r"<(https?://[^>]+)>", str(mail["List-Unsubscribe"] or ""))
    if not is_letter and link and (link[1] not in text or link[1].replace("&", "&amp;") not in html):
        yield "the way out does not stand in both parts"


def signature_holds(raw, mail, dns, is_letter):
    """L-03, A-04 to A-09: dkimpy verifies, and what must be signed is."""
    value = mail["DKIM-Signature"]
    if value is None:
        yield "there is no signature"
        return
    tags = dict(tag.strip().split("=", 1) for tag in re.sub(r"\s+", "", str(value)).split(";") if "=" in tag)
    lookup = lambda name, timeout=5: dns.get(name.decode().rstrip(".").lower(), "").encode() or None
    if not dkim.verify(raw, dnsfunc=lookup):
        yield "dkimpy does not verify the signature"
    if tags.get("c") != "relaxed/relaxed" or "l" in tags or not tags.get("a", "").endswith("-sha256"):
        yield "the signature is not relaxed/relaxed over the whole body"
    if not {"t", "x"} <= tags.keys() or int(tags["x"]) - int(tags["t"]) < 7 * 86_400:
        yield "the signature does not say until when it is good, or not long enough"
    signed = tags.get("h", "").lower().split(":")
    present = [name.lower() for name in mail.keys()]
    for name in OVERSIGNED:
        if signed.count(name) != present.count(name) + 1:
            yield f"{name} is not oversigned"
    lists = [] if is_letter else ["list-id", "feedback-id"]
    unsigned = [name for name in ["mime-version", *lists] if name not in signed]
    if unsigned:
        yield f"not signed: {', '.join(unsigned)}"
    if not str(mail["From"].addresses[0].domain).lower().endswith(tags.get("d", "?").lower()):
        yield "the signature's domain is not the sender's"
    if dkim.verify(raw.replace(b"\r\nTo:", b"\r\nSubject: added\r\nTo:", 1), dnsfunc=lookup):
        yield "a second Subject could be added"


def verify(path, dns, is_letter):
    raw = Path(path).read_bytes()
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    problems = [*bytes_are_plain(raw), *(f"defect: {defect!r}" for defect in mail.defects)]
    problems += headers_stand_once(mail, is_letter)
    problems += parts_are_two(mail, is_letter)
    problems += signature_holds(raw, mail, dns, is_letter)
    return mail, problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dns", required=True, help="file of TXT records")
    parser.add_argument("--letter", action="store_true", help="these are letters of the house, not a list's mail")
    parser.add_argument("mails", nargs="+")
    arguments = parser.parse_args()
    dns = records(arguments.dns)
    failed = 0
    for path in arguments.mails:
        mail, problems = verify(path, dns, arguments.letter)
        failed += bool(problems)
        print(f"{'FAIL' if problems else 'ok'}  {path}  {str(mail['Subject'])[:48]!r}  {'; '.join(problems)}".rstrip())
    print(f"{len(arguments.mails) - failed} of {len(arguments.mails)} mails are sound")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
