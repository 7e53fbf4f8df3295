/* The list of runs: asked for again every two seconds while it is in sight; a question starts a run and opens its page. */
const shown = { rows: "", selected: -1 };

function age(at) {
  const past = Math.max(0, Date.now() / 1000 - at);
  for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]]) if (past >= size) return `${many(Math.floor(past / size), unit)} ago`;
  return "just now";
}
const row = (one) => h("a", { href: `/runs/${encodeURIComponent(one.id)}`, "data-status": one.status }, h("span.sign", { title: one.status }, SIGNS[one.status]),
  h("span.q", null, one.question.slice(0, 300) || "(a plan without a question)"), h("span.a", null, one.answer != null ? one.answer.slice(0, 300) : one.status),
  h("span.when", null, `${age(one.started)}${one.seconds ? ` · ${seconds(one.seconds)}` : ""}`, h("small", null, `${one.id} · ${one.model.slice(0, 40)}`)));

async function load() {
  const query = $("search").value;
  let reply;
  try { reply = await fetch(`/api/runs?q=${encodeURIComponent(query)}`); } catch { $("count").textContent = "airo view no longer responds"; return; }
  const value = await reply.json();
  if (!reply.ok) { $("count").textContent = value.error; return; }
  if (query !== $("search").value) return;
  const rows = JSON.stringify(value.runs);
  const minute = `${rows}${Math.floor(Date.now() / 30000)}`;
  if (minute === shown.rows) return;
  shown.rows = minute;
  $("count").textContent = value.runs.length >= value.limit ? `the newest ${value.limit}` : String(value.runs.length);
  fill($("list"), value.runs.length ? value.runs.map(row) : h("p.empty", null, query ? "no run contains these words" : "no runs yet"));
  mark();
}
function mark() { [...$("list").children].forEach((one, n) => one.classList.toggle("selected", n === shown.selected)); }
function move(by) {
  shown.selected = Math.max(0, Math.min($("list").children.length - 1, shown.selected + by));
  mark();
  $("list").children[shown.selected]?.scrollIntoView({ block: "nearest" });
}
$("ask").addEventListener("submit", async (event) => {
  event.preventDefault();
  const question = $("question").value.trim();
  if (!question) return;
  $("go").disabled = true;
  try {
    const reply = await fetch("/api/runs", { method: "POST", headers: { "Content-Type": "application/json", "X-Airo-Token": data.token }, body: JSON.stringify({ question }) });
    const value = await reply.json();
    if (reply.ok) location.assign(`/runs/${encodeURIComponent(value.run)}`);
    else toast(value.error);
  } catch { toast("airo view no longer responds"); }
  $("go").disabled = false;
});
$("model").textContent = data.model;
$("search").addEventListener("input", load);
setInterval(() => { if (!document.hidden) load(); }, 2000);
keys([["j", () => move(1), "next run"], ["k", () => move(-1), "run before"], ["o Enter", (e) => (e.target.closest("button, a") ? false : $("list").children[shown.selected]?.click()), "open the run"],
  ["q", () => $("question").focus(), "ask a question"], ["/", () => $("search").focus(), "search"], ["t", turn, "light or dark"], ["Escape", () => document.activeElement.blur(), ""], ["?", () => $("keys").showModal(), "these keys"]]);
load();
