/* The list of runs: asked for again every two seconds while it is in sight; a question starts a run and opens its page. */
const shown = { rows: "", selected: -1, chosen: new Set() };

function age(at) {
  const past = Math.max(0, Date.now() / 1000 - at);
  for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]]) if (past >= size) return `${many(Math.floor(past / size), unit)} ago`;
  return "just now";
}
const row = (one) => h("div", { "data-run": one.id, "data-status": one.status }, h("label", null, h("input", { type: "checkbox", "aria-label": `choose the run ${one.id}`, checked: shown.chosen.has(one.id), onchange: () => choose(one.id) })),
  h("a", { href: `/runs/${encodeURIComponent(one.id)}` }, h("span.sign", { title: one.status }, SIGNS[one.status]), h("span.q", null, one.question.slice(0, 300) || "(a plan without a question)"),
    h("span.a", null, one.parent && `after ${one.parent} · `, one.answer != null ? one.answer.slice(0, 300) : one.status),
    h("span.when", null, `${age(one.started)}${one.seconds ? ` · ${seconds(one.seconds)}` : ""}`, h("small", null, `${one.id} · ${modelName(one.model).slice(0, 40)}`))));

async function load() {
  const query = new URLSearchParams({ q: $("search").value, status: $("status").value }).toString();
  const value = await ask(`/api/runs?${query}`);
  if (value.error) { $("count").textContent = value.error.message; return; }
  if (query !== new URLSearchParams({ q: $("search").value, status: $("status").value }).toString()) return;
  const rows = `${JSON.stringify(value.runs)}${Math.floor(Date.now() / 30000)}`;
  if (rows === shown.rows) return;
  shown.rows = rows;
  const there = new Set(value.runs.map((one) => one.id));
  for (const id of shown.chosen) if (!there.has(id)) shown.chosen.delete(id);
  $("count").textContent = value.runs.length >= value.limit ? `the newest ${value.limit}` : String(value.runs.length);
  fill($("list"), value.runs.length ? value.runs.map(row) : h("p.empty", null, $("search").value || $("status").value ? "no run matches" : "no runs yet"));
  mark();
}
function mark() {
  [...$("list").children].forEach((one, n) => one.classList.toggle("selected", n === shown.selected));
  $("compare").disabled = shown.chosen.size !== 2;
  $("delete").disabled = !shown.chosen.size;
  $("compare").title = "Choose two runs to compare them";
}
function choose(id) {
  shown.chosen.has(id) ? shown.chosen.delete(id) : shown.chosen.add(id);
  const box = [...$("list").children].find((one) => one.dataset.run === id)?.querySelector("input");
  if (box) box.checked = shown.chosen.has(id);
  mark();
}
function move(by) {
  shown.selected = Math.max(0, Math.min($("list").children.length - 1, shown.selected + by));
  mark();
  $("list").children[shown.selected]?.scrollIntoView({ block: "nearest" });
}
/* The difference as `airo diff` writes it, the older run first. */
async function compare(a, b) {
  const value = await ask(`/api/diff?${new URLSearchParams({ a, b })}`);
  if (value.error) { toast(value.error.message); return; }
  const tone = (line) => (/^(---|\+\+\+) /.test(line) ? "name" : line.startsWith("@@") ? "at" : line.startsWith("-") ? "del" : line.startsWith("+") ? "add" : "");
  fill($("difference"), h("h2", null, "Two runs compared", h("span.grip"), copyButton(() => value.lines.join("\n"))), h("div.text.diff", { tabindex: "0" }, value.lines.map((line) => h("div", { class: tone(line) }, line || " "))),
    h("form", { method: "dialog" }, h("a", { href: `/runs/${encodeURIComponent(a)}` }, "open a"), h("a", { href: `/runs/${encodeURIComponent(b)}` }, "open b"), h("span.grip"), h("button", { autofocus: true }, "Close")));
  $("difference").showModal();
}
const compareChosen = () => { if (shown.chosen.size === 2) compare(...[...$("list").children].map((one) => one.dataset.run).filter((id) => shown.chosen.has(id)).reverse()); };
function remove() {
  const ids = [...shown.chosen];
  if (!ids.length) return;
  const go = async () => {
    for (const id of ids) {
      const value = await ask(`/runs/${encodeURIComponent(id)}/delete`, {});
      if (value.error) { toast(value.error.message); break; }
      shown.chosen.delete(id);
    }
    load();
  };
  fill($("sure"), h("p", null, `Delete ${many(ids.length, "run")}? This cannot be undone.`), h("form", { method: "dialog" }, h("button", { autofocus: true }, "Keep"), h("button.danger", { id: "yes", onclick: go }, "Delete")));
  $("sure").showModal();
}
/* What a question may choose from; with nothing to choose, only what it is. */
for (const [name, all, first] of [["model", data.models, ""], ["folder", data.folders, "all documents"]]) {
  if (all.length > 1) $("choices").append(h("select", { id: name, "aria-label": name }, first && h("option", { value: "" }, first), all.map((one) => h("option", { value: one }, one))));
  else if (all.length) $("choices").append(h("span.runid", null, all[0]));
}
$("ask").addEventListener("submit", async (event) => {
  event.preventDefault();
  const question = $("question").value.trim();
  if (!question) return;
  $("go").disabled = true;
  const value = await ask("/api/runs", { question, model: $("model")?.value || "", folder: $("folder")?.value || "" });
  if (value.error) toast(value.error.message);
  else location.assign(`/runs/${encodeURIComponent(value.run)}`);
  $("go").disabled = false;
});
$("search").addEventListener("input", load);
$("status").addEventListener("change", load);
$("compare").addEventListener("click", compareChosen);
$("delete").addEventListener("click", remove);
setInterval(() => { if (!document.hidden) load(); }, 2000);
const current = () => $("list").children[shown.selected];
keys([["j", () => move(1), "next run"], ["k", () => move(-1), "run before"], ["o Enter", (e) => (e.target.closest("button, a, label") ? false : current()?.querySelector("a").click()), "open the run"],
  ["x", () => current() && choose(current().dataset.run), "choose the run"], ["c", compareChosen, "compare two chosen runs"], ["d", remove, "delete the chosen runs"],
  ["q", () => $("question").focus(), "ask a question"], ["/", () => $("search").focus(), "search"], ["t", turn, "light or dark"], ["Escape", () => document.activeElement.blur(), ""], ["?", () => $("keys").showModal(), "these keys"]]);
const wanted = location.hash.slice(1).split(",").map(decodeURIComponent);  // "/#A,B" compares two runs
if (wanted.length === 2) compare(...wanted);
load();
