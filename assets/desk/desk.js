// What the desk does better with a script. Every page is whole without it. No eval, no inline handlers, no globals.

const SAVE_AFTER_MS = 1200;
const TRY_AGAIN_MS = 5000;

/** Puts parts of an answer in the places that carry the same `data-live`, touching only those that differ. */
function place(html, root = document) {
  const news = new DOMParser().parseFromString(html, "text/html");
  for (const part of news.querySelectorAll("[data-live]")) {
    const old = root.querySelector(`[data-live="${part.dataset.live}"]`);
    if (old && old.outerHTML !== part.outerHTML && !old.contains(document.activeElement)) old.replaceWith(part);
    if (part.dataset.wire) wire(part.dataset.wire);
    if (part.dataset.title) document.title = `${part.dataset.title} · ${document.title.split(" · ").pop()}`;
  }
}

/** What the masthead says of the issue on this page. */
function wire(percent) {
  const link = document.querySelector(`.wire[href="${location.pathname}"]`);
  const word = link && link.querySelector("[data-percent]");
  if (!word) return;
  word.textContent = percent;
  const bar = link.querySelector("progress");
  bar.value = (parseFloat(percent) / 100) * bar.max;
}

/** A page that watches an issue go out: the server sends its parts as they change. */
function watch(live) {
  if (live.dataset.over) return;
  const source = new EventSource(live.dataset.liveFrom);
  let last = Date.now();
  const told = document.createElement("p");
  told.className = "note";
  told.setAttribute("role", "status");
  live.append(told);
  const take = (event) => { last = Date.now(); told.textContent = ""; place(event.data, live); };
  source.addEventListener("news", take);
  source.addEventListener("done", (event) => { take(event); source.close(); clearInterval(clock); document.querySelector(`.wire[href="${location.pathname}"]`)?.remove(); });
  const clock = setInterval(() => {
    const silent = Math.round((Date.now() - last) / 1000);
    if (silent > 7) told.textContent = `Reconnecting. Last word ${silent} seconds ago; the numbers are from then. Sending is not affected.`;
    for (const count of live.querySelectorAll("[data-countdown]")) {
      count.textContent = Math.max(0, Math.ceil((Number(count.dataset.countdown) - Date.now()) / 1000));
    }
  }, 1000);
}

/** The editor: saves as one types, keeps a draft when the line is down, jumps to lines, marks text. */
function edit(form) {
  const text = form.elements.text;
  const mail = document.getElementById("mail");
  const told = document.getElementById("told");
  const draftName = `draft ${form.dataset.editor}`;
  let timer = 0, saving = false, again = false, kept = text.value;

  const tell = (words) => { told.textContent = words; };
  const say = (word) => { const saved = document.querySelector("[data-live=saved]"); if (saved) saved.textContent = word; };
  const remember = () => { try { localStorage.setItem(draftName, JSON.stringify({ text: text.value, revision: form.elements.revision.value })); } catch { /* Private windows have no storage; the server still has the last save. */ } };
  const forget = () => { try { localStorage.removeItem(draftName); } catch { /* As above. */ } };

  async function save() {
    if (saving) { again = true; return; }
    if (text.value === kept) return;
    saving = true;
    say("Saving…");
    const sent = text.value;
    const body = new FormData();
    body.set("text", sent);
    body.set("revision", form.elements.revision.value);
    try {
      const answer = await fetch(form.action, { method: "POST", body, headers: { "X-Desk-Script": "1" }, redirect: "error" });
      const words = await answer.text();
      if (answer.ok) {
        kept = sent;
        form.elements.revision.value = answer.headers.get("X-Revision");
        tell("");
        forget();
        place(words);
        if (mail) mail.src = mail.src;
      } else {
        tell(answer.status === 401 ? "You are signed out. Your text is kept in this browser: sign in in another tab, then go on." : words);
        say("Not saved");
      }
    } catch {
      tell("The line is down. Your words are kept in this browser and saved as soon as it is back.");
      say("Not saved");
      timer = setTimeout(save, TRY_AGAIN_MS);
    }
    saving = false;
    if (again) { again = false; save(); }
  }

  text.addEventListener("input", () => { remember(); clearTimeout(timer); timer = setTimeout(save, SAVE_AFTER_MS); });
  form.addEventListener("submit", forget);
  window.addEventListener("beforeunload", () => { if (text.value !== kept) remember(); });

  // A draft that never reached the server.
  try {
    const draft = JSON.parse(localStorage.getItem(draftName) || "null");
    if (draft && draft.text !== text.value && draft.revision === form.elements.revision.value) {
      text.value = draft.text;
      tell("These words were kept in this browser when the line was down; they are being saved now.");
      save();
    } else if (draft && draft.text === text.value) forget();
  } catch { /* No storage: nothing was kept. */ }

  function mark(pattern) {
    const [before, after] = pattern.split("|");
    const { selectionStart: from, selectionEnd: to, value } = text;
    text.setRangeText(before + value.slice(from, to) + after, from, to, "end");
    if (from === to) text.setSelectionRange(from + before.length, from + before.length);
    text.focus();
    text.dispatchEvent(new Event("input"));
  }
  const bar = form.querySelector("[role=toolbar]");
  bar.hidden = false;
  for (const button of bar.querySelectorAll("[data-mark]")) button.addEventListener("click", () => mark(button.dataset.mark));

  function jump(line) {
    const lines = text.value.split("\n");
    const start = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
    text.focus();
    text.setSelectionRange(start, start + (lines[line - 1] || "").length);
    text.scrollTop = Math.max(0, (text.scrollHeight / lines.length) * (line - 4));
  }
  document.addEventListener("click", (event) => {
    const to = event.target.closest("[data-line]");
    const view = event.target.closest("[data-view]");
    if (to) { event.preventDefault(); jump(Number(to.dataset.line)); }
    if (view && mail) {
      event.preventDefault();
      mail.src = `${form.dataset.editor}/mail?view=${view.dataset.view}`;
      mail.className = `as-${view.dataset.view}`;
      for (const tab of document.querySelectorAll("[data-view]")) tab.toggleAttribute("aria-current", tab === view);
      view.setAttribute("aria-current", "true");
    }
  });
  const asked = Number(new URLSearchParams(location.search).get("line"));
  if (asked > 0) jump(asked);

  form.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey)) return;
    const press = { b: "**|**", i: "*|*", k: "[|](https://)" }[event.key];
    if (press) { event.preventDefault(); mark(press); }
    if (event.key === "s") { event.preventDefault(); save(); }
    if (event.key === "Enter") { event.preventDefault(); document.querySelector("button[form=writing][value=review]").click(); }
  });
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
    const find = document.getElementById("find");
    if (find) { event.preventDefault(); find.focus(); }
  }
  if (event.key === "Escape") for (const open of document.querySelectorAll(".masthead details[open]")) open.open = false;
});

const live = document.querySelector("[data-live-from]");
if (live) watch(live);
const editor = document.querySelector("[data-editor]");
if (editor) edit(editor);
const summary = document.querySelector(".error-summary");
if (summary) summary.focus();
