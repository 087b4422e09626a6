#!/usr/bin/env python3
"""Every page of desk, catcher and readers in Chromium: desktop and phone, light and dark. axe finds nothing, nothing
scrolls sideways, nothing is said on the console, no policy is broken. Then the story of one reader: signs up without
JavaScript, confirms by the link in the caught mail, gets the issue, leaves by the one-click button.

    browser.py SHOTS   leaves pictures of the pages in the folder SHOTS

Needs PyPI's playwright and axe-playwright-python, and Debian's chromium.
"""

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from urllib.parse import urldefrag, urljoin, urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Error, sync_playwright

from house import Checks, Demo, wait_until

READERS = 60
WIDTHS = {"desktop": (1280, 900), "phone": (390, 844)}
THEMES = ["light", "dark"]
# Of pages that differ only in an id or a word, so many are looked at.
OF_A_KIND_MAX = 2
PAGES_MAX = 120
# Addresses whose answer is not a page, or one in which no script may run, not even the test's (the mail, sandboxed by
# its policy; its HTML is looked at by itself).
NO_PAGES = re.compile(r"/(raw|api|mail|html)(/|$)|\.(csv|xml|json|txt|eml|png|jpg|gif|svg|css)$|/m/|/watch$|/static/")
# An id, a token, a number, a slug of an issue: pages that differ only in these are of one kind.
VARIES = re.compile(r"(?<=/)([0-9a-hjkmnp-tv-z]{13}|k\d+\.[\w-]+|[a-z]+(-[a-z]+){2,}|\d+)(?=/|$)")
AXE = {"resultTypes": ["violations"], "iframes": False}


class Eyes:
    """One browser window of a width and a theme; notes what pages complain of."""

    def __init__(self, browser, width, theme, script=True):
        size = dict(zip(["width", "height"], WIDTHS[width]))
        self.context = browser.new_context(
            viewport=size, color_scheme=theme, java_script_enabled=script, reduced_motion="reduce")
        self.name, self.page, self.said = f"{width}, {theme}", self.context.new_page(), []
        self.page.on("console", self.hear)
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("response", self.see)

    def hear(self, message):
        if message.type in ("error", "warning") and "favicon" not in message.text:
            self.said.append(f"{message.type}: {message.text}")

    def see(self, response):
        if response.status >= 400:
            self.said.append(f"{response.status} {response.url}")

    def open(self, url):
        self.said.clear()
        answer = self.page.goto(url, wait_until="load")
        return answer.status if answer else 0


def kind(url):
    """What pages of one kind have in common."""
    parts = urlsplit(url)
    names = sorted(re.findall(r"(\w+)=(\w*)", parts.query))
    told = "&".join(f"{name}={value if name == 'view' else ''}" for name, value in names if name != "page")
    return VARIES.sub("*", parts.path) + "?" + told


def links(page, root):
    """Addresses on our own host that a page links to or sends forms to with GET."""
    hrefs = page.eval_on_selector_all("a[href]", "all => all.map(a => a.href)")
    ours = {urldefrag(urljoin(root, href))[0] for href in hrefs}
    return sorted(url for url in ours if url.startswith(root + "/") and not NO_PAGES.search(urlsplit(url).path))


def look(eyes, axe, url, checks, shots):
    """One page in one window."""
    where = f"{urlsplit(url).path}?{urlsplit(url).query} ({eyes.name})"
    status = eyes.open(url)
    checks.that(status == 200, f"{where} answers 200, not {status}")
    found = axe.run(eyes.page, options=AXE).response["violations"]
    told = "; ".join(f"{v['id']}: {v['nodes'][0]['html'][:160]}" for v in found)
    checks.that(not found, f"{where}: axe finds {told}")
    wide, high = eyes.page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    checks.that(wide <= high, f"{where} scrolls sideways: {wide} px in {high}")
    checks.that(not eyes.said, f"{where} complains: {eyes.said[:3]}")
    name = re.sub(r"[^a-z0-9]+", "-", kind(url).lower()).strip("-") or "root"
    eyes.page.screenshot(path=shots / f"{name}-{eyes.name.replace(', ', '-')}.png", full_page=False)


def every_page(root, starts, windows, axe, checks, shots):
    """Walks from `starts` along every link, a few pages of each kind."""
    waiting, seen, kinds = list(starts), set(starts), {}
    while waiting and len(kinds) < PAGES_MAX:
        url = waiting.pop(0)
        if kinds.get(kind(url), 0) >= OF_A_KIND_MAX:
            continue
        kinds[kind(url)] = kinds.get(kind(url), 0) + 1
        for place, eyes in enumerate(windows if kinds[kind(url)] == 1 else windows[:1]):
            look(eyes, axe, url, checks, shots)
            if place == 0:
                new = [link for link in links(eyes.page, root) if link not in seen]
                seen.update(new)
                waiting.extend(new)
    print(f"{sum(kinds.values())} pages of {len(kinds)} kinds")
    return kinds


def the_mail(demo, windows, axe, checks, shots):
    """The issue itself, as a mail program would show it."""
    mail = demo.found("subject:harbour")["messages"][0]["ID"]
    html = demo.api(f"message/{mail}")["HTML"]
    for eyes in windows:
        eyes.said.clear()
        eyes.page.set_content(html, wait_until="load")
        found = axe.run(eyes.page, options=AXE).response["violations"]
        told = "; ".join(f"{v['id']}: {v['nodes'][0]['html'][:160]}" for v in found)
        checks.that(not found, f"the mail ({eyes.name}): axe finds {told}")
        wide, high = eyes.page.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        checks.that(wide <= high, f"the mail ({eyes.name}) scrolls sideways: {wide} px in {high}")
        checks.that(not eyes.said, f"the mail ({eyes.name}) complains: {eyes.said[:3]}")
        eyes.page.screenshot(path=shots / f"mail-{eyes.name.replace(', ', '-')}.png", full_page=True)


def one_reader(demo, browser, checks):
    """Signs up, confirms, is there; leaves by the button of the mail."""
    address = "nora.visitor@reader.example"
    eyes = Eyes(browser, "phone", "light", script=False)
    page = eyes.page
    eyes.open(f"{demo.url}/tidewater")
    page.fill("input[type=email]", address)
    # The form knows when it was shown, and takes nobody for a reader who is faster than a hand.
    page.wait_for_timeout(4_000)
    page.click("form button >> nth=0")
    checks.that("reader.example" not in page.url, "no address stands in an address")
    letter = wait_until(lambda: demo.found(f"to:{address}")["messages"], 20)
    if not checks.that(letter, "a letter asks for confirmation"):
        return
    text = demo.api(f"message/{letter[0]['ID']}")["Text"]
    eyes.open(re.search(r"https?://\S+/c/\S+", text)[0])
    page.click("form button >> nth=0")
    found = demo_reader(demo, eyes, address)
    checks.that("active" in found.lower(), "the desk shows the new reader as active")


def demo_reader(demo, eyes, address):
    """What the desk's list of readers says of an address."""
    eyes.open(f"{demo.url}/desk/n/tidewater/readers?q={address}")
    return eyes.page.inner_text("main")


def leaves_by_the_button(demo, browser, checks):
    eyes = Eyes(browser, "desktop", "light", script=False)
    mail = demo.found("subject:harbour")["messages"][-1]
    eyes.open(f"{demo.url}/catcher/{mail['ID']}")
    eyes.page.click("text=Try the one-click unsubscribe")
    checks.that("answered 200" in eyes.page.inner_text("main"), "the one-click address answers 200")
    eyes.page.click("text=The reader")
    words = eyes.page.inner_text("main")
    checks.that(re.search("unsubscribed|left", words, re.I), "the desk knows that the reader has left")


def a_new_issue(demo, windows, checks):
    """The editor and the pages after it, which only a form leads to."""
    eyes = windows[0]
    eyes.open(f"{demo.url}/desk/n/tidewater/issues")
    try:
        eyes.page.click("button[aria-label='New issue']", timeout=5_000)
    except Error:
        checks.that(False, "the desk has a button for a new issue")
        return []
    eyes.page.wait_for_load_state("load")
    return [eyes.page.url]


def tell(checks, story, *arguments):
    """A story that breaks off is one failure, and the others are still told."""
    try:
        return story(*arguments, checks)
    except (Error, IndexError, TypeError) as error:
        checks.that(False, f"{story.__name__} breaks off: {str(error)[:400]}")
        return None


def main():
    shots, checks = Path(sys.argv[1]), Checks()
    shots.mkdir(parents=True, exist_ok=True)
    data = Path(tempfile.mkdtemp(prefix="broadsheet-browser-"))
    demo = Demo(data / "demo", readers=READERS)
    try:
        with sync_playwright() as playwright:
            chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            windows = [Eyes(browser, width, theme) for width in WIDTHS for theme in THEMES]
            axe = Axe()
            wait_until(lambda: demo.api("messages?limit=1")["total"] >= READERS, 60)
            starts = [f"{demo.url}{path}" for path in ["/desk", "/catcher", "/tidewater", "/tidewater/archive"]]
            if checks.that(demo.api("messages?limit=1")["total"] >= READERS, "the issue went out"):
                the_mail(demo, windows, axe, checks, shots)
                tell(checks, one_reader, demo, browser)
                tell(checks, leaves_by_the_button, demo, browser)
            starts += tell(checks, a_new_issue, demo, windows) or []
            every_page(demo.url, starts, windows, axe, checks, shots)
            browser.close()
    finally:
        demo.stop()
        shutil.rmtree(data, ignore_errors=True)
    return checks.end()


if __name__ == "__main__":
    sys.exit(main())
