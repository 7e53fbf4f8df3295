"use strict";
/* What both pages use. Everything that a model or a page wrote becomes text nodes: there is no way from here to markup. */
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);

/* An element: h("div.card", {onclick: f}, "text", other). Names of attributes are written here only, never taken from data. */
function h(what, attributes, ...children) {
  const [tag, ...classes] = what.split(".");
  const made = document.createElement(tag);
  if (classes.length) made.className = classes.join(" ");
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value == null || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat(Infinity).filter((child) => child != null && child !== false));
  return made;
}
const fill = (parent, ...children) => parent.replaceChildren(...children.flat(Infinity).filter((child) => child != null && child !== false));

/* Only http and https become links, and documents of the folders that this server reads; javascript:, data: and the rest stay text. */
function address(url, quote = "") {
  let safe = false;
  try { safe = /^https?:$/.test(new URL(url).protocol) && /^https?:\/\//i.test(url); } catch { safe = false; }
  const words = quote.split("\n")[0].trim().slice(0, 80).replace(/\s\S*$/, "");
  const place = words && `#:~:text=${encodeURIComponent(words).replaceAll("-", "%2D")}`;
  const document = (data.folders || []).some((folder) => url.startsWith(folder)) && `/document?${new URLSearchParams({ url })}${place}`;
  return safe || document ? h("a.u", { href: document || url, target: "_blank", rel: "noopener noreferrer nofollow" }, url) : h("span.u", null, url);
}

/* A reply of this server: what it says, or {error: {message}}. With a body it is asked to do something. */
async function ask(path, body) {
  const form = body && { method: "POST", headers: { "Content-Type": "application/json", "X-Airo-Token": data.token }, body: JSON.stringify(body) };
  try { return await (await fetch(path, form)).json(); } catch { return { error: { message: "the server no longer responds" } }; }
}

const number = (value) => value.toLocaleString("en-US");
function seconds(value) {
  if (!value || !isFinite(value)) return "";
  if (value >= 60) return `${Math.floor(value / 60)} min ${Math.round(value % 60)} s`;
  return value >= 9.95 ? `${value.toFixed(0)} s` : value >= 0.0995 ? `${value.toFixed(1)} s` : `${Math.max(1, Math.round(value * 1000))} ms`;
}
const moment = (at) => new Date(at * 1000).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
const many = (count, word) => `${number(count)} ${count === 1 ? word : { try: "tries", match: "matches" }[word] || `${word}s`}`;
const SIGNS = { done: "✓", running: "•", failed: "✕", unanswered: "?", skipped: "–", cancelled: "◼", interrupted: "◼", waiting: "·" };
const WORDS = { waiting: "not run", unanswered: "no answer found", cancelled: "stopped" };

function toast(text) {
  $("toast").textContent = text;
  $("toast").classList.add("on");
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => $("toast").classList.remove("on"), 1400);
}
async function copy(text) {
  try { await navigator.clipboard.writeText(text); } catch {
    const area = h("textarea", { readonly: true });  // a file:// page may have no clipboard object
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  toast("copied");
}
const copyButton = (text, label = "copy") => h("button.copy", { onclick: (e) => { e.stopPropagation(); copy(text()); } }, label);

/* Light or dark: the system's choice until the reader makes one. A page from a file may have no storage. */
const kept = { get: () => { try { return localStorage.getItem("airo-theme"); } catch { return null; } },
  set: (value) => { try { localStorage.setItem("airo-theme", value); } catch { return; } } };
const dark = matchMedia("(prefers-color-scheme: dark)");
const paint = () => { document.documentElement.dataset.theme = kept.get() || (dark.matches ? "dark" : "light"); };
function turn() {
  const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  kept.set(next);
  document.documentElement.dataset.theme = next;
}
paint();
dark.addEventListener("change", paint);
$("theme").addEventListener("click", turn);

function keys(bindings) {
  const shown = $("keys");
  fill(shown, h("h2", null, "Keys"), h("dl", null, bindings.filter((one) => one[2]).map(([key, , what]) => [
    h("dt", null, key.split(" ").map((one) => [h("kbd", null, one), " "])), h("dd", null, what)])));
  const find = new Map(bindings.flatMap(([key, act]) => key.split(" ").map((one) => [one, act])));
  shown.addEventListener("click", () => shown.close());
  $("help").addEventListener("click", () => shown.showModal());
  document.addEventListener("keydown", (event) => {
    const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
    if (event.ctrlKey || event.metaKey || event.altKey || (typing && event.key !== "Escape")) return;
    if (shown.open && event.key === "?") { shown.close(); return; }
    if (document.querySelector("dialog[open]")) return;
    const act = event.key === "?" ? () => shown.showModal() : find.get(event.key);
    if (act && act(event) !== false) event.preventDefault();
  });
}
/* A model as people call it: of a file, its name without its folder. */
const modelName = (model) => model.replace(/^(\w+:)?\/(?!\/).*\/(?=[^/]+$)/, "$1");
