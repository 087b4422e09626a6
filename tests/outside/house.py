"""Starts real Broadsheets and speaks to them as a stranger does: by HTTP, by the command line."""

import html
import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("BROADSHEET", ROOT / "target/debug/broadsheet"))
START_SECONDS_MAX = 30


class Checks:
    """Counts what holds and what does not, and says each failure once."""

    def __init__(self):
        self.passed, self.failures = 0, []

    def that(self, holds, what):
        if holds:
            self.passed += 1
        else:
            self.failures.append(what)
            print(f"FAIL  {what}", flush=True)
        return holds

    def end(self):
        print(f"{self.passed} passed, {len(self.failures)} failed")
        return 1 if self.failures else 0


def get(url, **headers):
    """Status and text of an address; a 4xx or 5xx is an answer too."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as answer:
            return answer.status, answer.read().decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode("utf-8", "replace")


class Running:
    """A Broadsheet in a process of its own; what it prints is read until it has said where it is."""

    def __init__(self, *arguments, until):
        self.process = subprocess.Popen([BINARY, *map(str, arguments)], stdout=subprocess.PIPE, text=True)
        self.began, self.said = time.monotonic(), ""
        for line in self.process.stdout:
            self.said += line
            if re.search(until, line):
                return
        raise SystemExit(f"{arguments} ended at once and said:\n{self.said}")

    def stop(self):
        """Ctrl-C; gives the exit code."""
        self.process.send_signal(signal.SIGINT)
        try:
            self.said += self.process.communicate(timeout=60)[0]
        except subprocess.TimeoutExpired:
            self.process.kill()
        return self.process.returncode

    def seconds(self):
        return time.monotonic() - self.began


class Demo(Running):
    """`broadsheet demo`, with its catcher."""

    def __init__(self, data, readers=500):
        super().__init__(
            "--data", data, "demo", "--listen", "127.0.0.1:0", "--readers", readers, until="Ctrl-C stops it")
        self.url = re.search(r"(http://\S+)/desk", self.said)[1]
        self.smtp = re.search(r"the catcher at (\S+?)\.\s", self.said)[1]

    def api(self, path):
        status, text = get(f"{self.url}/catcher/api/v1/{path}")
        if status != 200:
            raise RuntimeError(f"{path}: {status} {text}")
        return json.loads(text)

    def raw(self, mail):
        return urllib.request.urlopen(f"{self.url}/catcher/api/v1/message/{mail}/raw", timeout=30).read()

    def found(self, query):
        return self.api("search?limit=10000&query=" + urllib.parse.quote(query))

    def dns(self):
        return dns(get(f"{self.url}/desk/n/tidewater/deliverability")[1])


def dns(page):
    """The rows that the desk tells its editor to paste, as `name text` lines."""
    pasted = [html.unescape(text) for text in re.findall(r'<code class="paste">(.*?)</code>', page)]
    return "".join(f"{name} {value}\n" for name, value in zip(pasted[::2], pasted[1::2]))


def as_owner(set_up_link, path):
    """A page of the desk, seen by the first owner, whom the one-time link makes."""
    jar = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    form = {"name": "Ines Corrado", "email": "ines@tidewater.example", "password": "correct horse battery staple"}
    jar.open(set_up_link, urllib.parse.urlencode(form).encode(), timeout=30)
    root = set_up_link.partition("/desk")[0]
    return jar.open(root + path, timeout=30).read().decode()


def wait_until(look, seconds, every=0.2):
    """Until `look` gives something true; what it gave, or the last false thing."""
    end = time.monotonic() + seconds
    while not (seen := look()) and time.monotonic() < end:
        time.sleep(every)
    return seen


def run(*arguments):
    """One command; its standard output."""
    done = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise SystemExit(f"broadsheet {' '.join(map(str, arguments))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout
