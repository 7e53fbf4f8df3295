/* One run: its events are folded into `run`, and `run` is drawn. A live run's events come one by one and are drawn as they come. */
const run = { id: data.run, question: "", model: "", parent: "", status: "running", started: 0, seconds: 0, settings: [], calls: [], writing: "",
  raw: "", parsed: false, earlier: [], findings: [], refused: null, answer: null, sources: [], failure: null, usage: null, loading: "", steps: new Map(), final: [], drawing: null, end: 0 };
const ui = { open: new Set(), selected: "", view: new Map(), inside: new Set(), forking: new Set(), stale: new Set() };
const fields = new Map();  // "evidence3/output" -> {label, text, show}

function step(id, tool) {
  if (!run.steps.has(id)) run.steps.set(id, { id, thought: "", tool: tool || "", template: null, line: 0, status: "waiting", attempts: [],
    text: null, sources: [], note: "", origin: "call", seconds: 0, failure: null, because: [], calls: [], live: "", edited: false, private: false });
  ui.stale.add(id);
  return run.steps.get(id);
}
function takePlan(plan) {
  for (const one of plan.steps) Object.assign(step(one.id), one);
  const order = plan.steps.map((one) => one.id);  // the plan's own order, whatever order the steps started in
  run.steps = new Map([...order, ...[...run.steps.keys()].filter((id) => !order.includes(id))].map((id) => [id, run.steps.get(id)]));
  Object.assign(run, { final: plan.answer || [], drawing: plan.drawing });
}
function ended(one, event, status) {
  const attempt = one.attempts[one.attempts.length - 1];
  if (attempt && !attempt.end) Object.assign(attempt, { end: event.at, status, failure: event.failure || null, retry: event.retry_in || 0 });
  one.live = "";
}
const awaited = (one) => one.failure?.kind === "UserAwaited";  // the user can answer its question later
function again() {  // what had failed or been skipped may still be done
  for (const one of run.steps.values()) if (one.failure || one.status === "skipped") Object.assign(step(one.id), { status: "waiting", failure: null, because: [] });
}
const takers = {
  run_started: (e) => Object.assign(run, { id: e.run, question: e.question, model: e.model, parent: e.parent, settings: e.settings, started: e.at }),
  plan_text: (e) => { run.writing += e.text; },
  plan_part: (e) => { run.raw += e.text; },
  plan_written: (e) => { Object.assign(run, { raw: e.text, writing: "", asked: false, steps: run.asked ? new Map() : run.steps }); },
  plan_parsed: (e) => { run.findings = e.diagnostics; run.parsed = true; },
  run_resumed: (e) => { Object.assign(run, { status: "running", model: e.model, answer: null, failure: null, raw: run.parsed ? run.raw : "" }); again(); },
  replanned: (e) => { run.earlier.push({ failure: e.failure, raw: run.raw, steps: [...run.steps.values()] }); Object.assign(run, { raw: "", steps: new Map(), drawing: null, parsed: false }); },
  input_edited: (e) => { step(e.step, e.tool).edited = true; },
  plan_refused: (e) => { if (e.retry) { takers.replanned(e); run.asked = true; return; } run.refused = e.failure; run.findings = e.diagnostics; },
  model_called: (e) => (e.step ? step(e.step).calls : run.calls).push(e),
  step_started: (e) => { const one = step(e.step, e.tool); one.status = "running"; one.failure = null;
    one.attempts.push({ number: e.attempt, start: e.at, end: 0, input: e.input, status: "running" }); },
  step_text: (e) => { step(e.step).live += e.text; },
  attempt_failed: (e) => ended(step(e.step, e.tool), e, "failed"),
  step_finished: (e) => { const one = step(e.step, e.tool); const found = e.evidence, status = found.answered ? "done" : "unanswered"; ended(one, e, status);
    Object.assign(one, { status, text: found.text, sources: found.sources, note: found.note, origin: e.origin, seconds: e.seconds, private: found.private });
    for (const other of run.steps.values()) if (needs(other).includes(e.step)) ui.stale.add(other.id); },
  step_failed: (e) => { const one = step(e.step, e.tool); ended(one, e, "failed"); Object.assign(one, { status: awaited(e) ? "waiting" : "failed", failure: e.failure, seconds: e.seconds }); },
  step_cancelled: (e) => { const one = step(e.step, e.tool); ended(one, e, "cancelled"); Object.assign(one, { status: "cancelled", seconds: e.seconds }); },
  step_skipped: (e) => Object.assign(step(e.step, e.tool), { status: "skipped", because: e.because }),
  progress: (e) => { run.loading = e.total ? `${e.what}: ${Math.floor((100 * e.done) / e.total)}%` : e.what; },
  run_finished: (e) => { Object.assign(run, { status: e.status, answer: e.answer, sources: e.sources, failure: e.failure, usage: e.usage, seconds: e.seconds, loading: "", writing: "" });
    for (const id of run.steps.keys()) ui.stale.add(id); },
};
function take(event) {
  if (Object.hasOwn(takers, event.type)) takers[event.type](event);
  run.end = Math.max(run.end, event.at);
}
const needs = (one) => [...new Set((one.template || []).filter((part) => part.ref).map((part) => part.ref))];
const now = () => (run.status === "running" && data.follow ? Math.max(run.end, Date.now() / 1000) : run.end);

/* The input as it was given, in parts: the plan's own words, and evidence marked with where it is from. */
function filled(one) {
  const last = one.attempts[one.attempts.length - 1];
  if (!one.template) return [{ text: last && last.input != null ? last.input : "" }];
  const parts = one.template.map((part) => (part.ref ? { text: run.steps.get(part.ref)?.text ?? `:${part.ref}:`, from: part.ref } : { text: part.text }));
  const whole = parts.map((part) => part.text).join("");
  return last && last.input != null && last.input !== whole ? [{ text: last.input }] : parts;
}

/* Text of any length: cut at line ends into at most some 260 parts that the browser lays out only when they come into sight. */
function textBox(key, label, parts, show) {
  const whole = parts.map((part) => part.text).join("");
  if (!whole) return h("div.text", null, h("span.empty", null, "empty"));
  const size = Math.max(6000, Math.ceil(whole.length / 250));
  const box = h("div.text", { "data-field": key, tabindex: "0" });
  let part = null;
  let room = 0;
  const open = () => { part = h("div.part"); box.append(part); room = size; };
  for (const { text, from } of parts) {
    let at = 0;
    let first = true;
    do {
      if (room <= 0) open();
      let end = Math.min(text.length, at + room);
      if (end < text.length) {
        const line = text.lastIndexOf("\n", end - 1);
        if (line >= at) end = line + 1;
        else if (/[\uD800-\uDBFF]/.test(text[end - 1]) && end - 1 > at) end -= 1;
      }
      if (from && first) part.append(h("span.from", { onclick: () => go(from), title: `go to ${from}` }, from));
      first = false;
      if (end > at) part.append(from ? h("mark", null, text.slice(at, end)) : text.slice(at, end));
      room = end < text.length ? 0 : room - (end - at);
      at = end;
    } while (at < text.length);
  }
  if (box.childElementCount > 1) for (const one of box.children) {
    const text = one.textContent;
    one.style.containIntrinsicHeight = `auto ${Math.max(text.split("\n").length, text.length / 90) * 20}px`;
  } else box.firstElementChild.className = "";
  fields.set(key, { label, text: whole, show });
  return box;
}
function sized(text) {
  const lines = text.split("\n").length;
  return `${many(lines, "line")} · ${many(text.length, "character")}`;
}
function titled(title, box, text, ...extra) {
  const tall = text.length > 1800 && h("button.copy", { onclick: (e) => { e.target.textContent = box.classList.toggle("tall") ? "shorter" : "taller"; } }, "taller");
  return h("div", null, h("h3", null, title, text && h("small", null, sized(text)), h("span.grip"), extra, tall, text && copyButton(() => text)), box);
}
const field = (key, label, title, text, show) => titled(title, textBox(key, label, [{ text }], show), text);
const sourceList = (sources) => sources.length > 0 && h("ol.sources", null, sources.map((source, n) =>
  h("li", null, h("span.n", null, String(n + 1)), source.title ? h("span.t", null, source.title) : address(source.url, source.quote), source.title && address(source.url, source.quote), source.quote && h("q", null, source.quote))));
const failed = (failure, tone = "failed") => h("div.note", { "data-status": tone }, failure.message, h("small", null, [failure.kind, failure.hint].filter(Boolean).join(" · ")));
const finding = (one) => h("div.note", { "data-status": one.repair ? "unanswered" : "failed" }, one.message,
  h("small", null, `${one.kind}, line ${one.line}, column ${one.column}${one.repair ? ` · repaired: ${one.repair}` : ""}`));

/* A model call: what it read, what it wrote. The two texts are made when it is opened. */
function call(event, key, show) {
  const inside = h("div.inside");
  const made = h("details", { open: ui.inside.has(key) }, h("summary", null, h("b", null, event.purpose), h("span", null, event.model), h("span", null, seconds(event.seconds)),
    h("span", null, `${number(event.usage.prompt_tokens)} tokens read, ${number(event.usage.completion_tokens)} written`), event.finish !== "stop" && h("span", null, `ended by ${event.finish}`)), inside);
  const shown = () => { ui.inside.add(key); show(); made.open = true; draw(); };
  const build = () => { if (!inside.childElementCount) fill(inside, field(`${key}/prompt`, "prompt", "Prompt, as the model read it", event.prompt, shown), field(`${key}/text`, "completion", "What it wrote", event.text, shown)); };
  made.addEventListener("toggle", () => { made.open ? (ui.inside.add(key), build()) : ui.inside.delete(key); });
  if (made.open) build();
  for (const [name, text] of [["prompt", event.prompt], ["text", event.text]])
    if (!fields.has(`${key}/${name}`)) fields.set(`${key}/${name}`, { label: name === "text" ? "completion" : name, text, show: () => { shown(); build(); } });
  return made;
}

/* Steps ---------------------------------------------------------------------------------------------------------- */
const state = (one) => (one.status === "waiting" && run.status !== "running" && !awaited(one) ? "skipped" : one.status);
const word = (status, one) => (one && one.status === "waiting" ? (run.status === "running" || awaited(one) ? "waiting" : "not run") : WORDS[status] || status);
const chips = (template) => template.map((part) => (part.ref ? h("button.ref", { onclick: (e) => { e.stopPropagation(); go(part.ref); } }, part.ref) : part.text.slice(0, 600)));

function stepCard(one) {
  const id = one.id;
  const status = state(one);
  const tokens = one.calls.reduce((sum, event) => sum + event.usage.prompt_tokens + event.usage.completion_tokens, 0);
  const facts = [status === "done" ? seconds(one.seconds) : word(status, one), status !== "done" && one.seconds ? seconds(one.seconds) : "", one.attempts.length > 1 ? many(one.attempts.length, "try") : "",
    tokens ? many(tokens, "token") : "", one.origin !== "call" ? `from ${one.origin === "shared" ? "a shared call" : `the ${one.origin}`}` : "", one.private ? "private" : ""].filter(Boolean).join(" · ");
  const result = one.failure ? one.failure.message : one.text ?? (one.live || (one.because.length ? `needs ${one.because.join(", ")}` : ""));
  const opened = ui.open.has(id);
  const head = h("div.head", { role: "button", "aria-expanded": String(opened), onclick: () => { if (!String(getSelection())) { select(id); toggle(id); } } },
    h("span.sign", { title: word(status, one) }, SIGNS[status]), h("div.who", null, h("b", null, one.tool), h("code", null, id)), h("div.facts", null, facts, canFork(one) && h("button.copy", { title: "change this step in a new run", onclick: (e) => { e.stopPropagation(); ui.forking.add(id); go(id); $(`step-${id}`).querySelector(".fork textarea")?.focus(); } }, "fork")),
    one.thought && h("p.thought", null, one.thought),
    !opened && h("div.glance", null, one.template && [h("i", null, "in"), h("span", null, chips(one.template))],
      result && [h("i", null, "out"), h(`span${one.failure ? ".bad" : ".out"}`, null, result.slice(0, 400))]));
  const card = h("article.step", { id: `step-${id}`, "data-status": status }, head);
  if (id === ui.selected) card.classList.add("selected");
  for (const key of [...fields.keys()]) if (key.startsWith(`${id}/`)) fields.delete(key);
  const show = () => { ui.open.add(id); ui.stale.add(id); };
  const parts = filled(one);
  if (opened) card.append(more(one, parts, show));
  remember(one, parts, show);
  return card;
}
/* What a closed card holds is searched as well. */
function remember(one, parts, show) {
  const keep = (name, label, text, act) => { if (text && !fields.has(`${one.id}/${name}`)) fields.set(`${one.id}/${name}`, { label, text, show: act }); };
  keep("thought", "thought", one.thought, show);
  keep("written", "input as written", one.template && one.template.map((part) => (part.ref ? `:${part.ref}:` : part.text)).join(""), () => { show(); ui.view.set(one.id, "written"); });
  if (one.attempts.length) keep("filled", "input", parts.map((part) => part.text).join(""), () => { show(); ui.view.set(one.id, "filled"); });
  keep("output", "output", one.text, show);
  keep("sources", "sources", one.sources.map((source) => `${source.title} ${source.url} ${source.quote}`).join("\n"), show);
  one.calls.forEach((event, n) => call(event, `${one.id}/call${n}`, show));
}
function more(one, parts, show) {
  const id = one.id;
  const ran = one.attempts.length > 0;
  const view = ran && needs(one).length ? ui.view.get(id) || "filled" : ran ? "filled" : "written";
  const written = (one.template || []).map((part) => (part.ref ? `:${part.ref}:` : part.text)).join("");
  const input = view === "filled" ? parts.map((part) => part.text).join("") : written;
  const pick = (name) => () => { ui.view.set(id, name); ui.stale.add(id); draw(); };
  const tabs = ran && needs(one).length > 0 && h("span.tabs", null, h("button", { "aria-pressed": String(view === "filled"), onclick: pick("filled") }, "filled in"),
    h("button", { "aria-pressed": String(view === "written"), onclick: pick("written") }, "as written"));
  const found = run.findings.filter((item) => one.line && item.line === one.line);
  const box = view === "filled" ? textBox(`${id}/filled`, "input", parts, () => { show(); ui.view.set(id, "filled"); }) : h("div.text", { "data-field": `${id}/written` }, h("div", null, chips(one.template || [])));
  return h("div.more", null,
    found.length > 0 && h("div.rows", null, found.map(finding)),
    titled("Input", box, input, tabs),
    one.edited && h("div.note", { "data-status": "running" }, "The user replaced the step's input with this one."),
    one.failure && h("div.rows", null, h("h3", null, awaited(one) ? "Waiting for your answer" : "Failed"), failed(one.failure)),
    one.because.length > 0 && h("div.note", { "data-status": "skipped" }, "Not run: ", one.because.map((other) => [h("button.ref", { onclick: () => go(other) }, other), " "]), "produced no evidence."),
    one.live && titled("Output, being written", h("div.text", null, h("div.cursor", null, one.live)), ""),
    one.text != null && h("div", null, field(`${id}/output`, "output", "Output", one.text, show), one.note && h("p.note", { "data-status": state(one) }, one.note), sourceList(one.sources)),
    one.attempts.length > 1 && h("div", null, h("h3", null, "Tries"), h("div.rows", null, one.attempts.map((attempt) => attempt.failure
      ? h("div.note", { "data-status": "failed" }, `${attempt.number}: ${attempt.failure.message}`, h("small", null, `${attempt.failure.kind} after ${seconds(attempt.end - attempt.start)}${attempt.retry ? ` · tried again after ${seconds(attempt.retry)}` : ""}`))
      : h("div.note", { "data-status": attempt.status }, `${attempt.number}: ${word(attempt.status)}${attempt.end ? ` after ${seconds(attempt.end - attempt.start)}` : ""}`)))),
    one.calls.length > 0 && h("div", null, h("h3", null, one.calls.length > 1 ? "Model calls" : "Model call"), h("div.rows", null, one.calls.map((event, n) => call(event, `${id}/call${n}`, show)))),
    run.status === "running" || !one.template ? null : canFork(one) ? forkForm(one, written)
      : /^evidence\d+$/.test(id) && h("div.commands", null, command(`airo fork ${shellName()} --edit ${id}`)));
}

/* The graph: drawn where Python has laid it out (`plan_layout`), at the size that the reader has chosen. ----------- */
const HIGH = 46;
const XML = "http://www.w3.org/2000/svg";
function s(tag, attributes, ...children) {
  const made = document.createElementNS(XML, tag);
  for (const [name, value] of Object.entries(attributes)) name.startsWith("on") ? made.addEventListener(name.slice(2), value) : made.setAttribute(name, value);
  made.append(...children);
  return made;
}
const pen = document.createElement("canvas").getContext("2d");
function fit(text, room, font) {
  pen.font = font;
  let shown = text.slice(0, 60);
  if (shown === text && pen.measureText(text).width <= room) return text;
  while (shown && pen.measureText(`${shown}…`).width > room) shown = shown.slice(0, -1);
  return `${shown}…`;
}
function drawGraph() {
  const { drawing } = run;
  const empty = run.status === "running" && !run.steps.size ? "the plan is being written" : run.steps.size ? "the plan is too large to draw" : "there is no plan to draw";
  if (!drawing) { fill($("graph"), h("p.empty", null, empty)); fill($("legend")); return; }
  const svg = s("svg", { width: drawing.width * view.now, height: (drawing.height + 4) * view.now, viewBox: `0 -3 ${drawing.width} ${drawing.height + 4}`, role: "img", "aria-label": "the plan's steps and what each needs" });
  for (const line of drawing.lines) {
    const near = line.start === ui.selected || (line.end === ui.selected && ui.selected !== "") ? " near" : "";
    svg.append(s("path", { class: `edge${near}`, d: line.path }), s("path", { class: `tip${near}`, d: line.tip }));
  }
  for (const { id, x, y, wide } of drawing.boxes) {
    const one = run.steps.get(id);
    const status = one ? state(one) : run.status === "running" ? "waiting" : run.status;
    const open = () => (one ? go(id) : $("top").scrollIntoView({ behavior: "smooth" }));
    const group = s("g", { class: `box${one && id === ui.selected ? " selected" : ""}`, "data-status": status, tabindex: "0", role: "link", onclick: () => view.moved || open(), onkeydown: (e) => { if (e.key === "Enter") { e.stopPropagation(); open(); } } });
    group.append(s("title", {}, one ? `${id} ${one.tool}: ${word(status, one)}\n${one.thought}` : "the answer"),
      s("rect", { class: "body", x, y, width: wide, height: HIGH, rx: one ? 9 : 23 }));
    const font = getComputedStyle(document.body).fontFamily;
    if (one) group.append(s("path", { class: "stripe", d: `M${x + 9} ${y}a9 9 0 0 0 -9 9v${HIGH - 18}a9 9 0 0 0 9 9h-4.5a4.5 9 0 0 1 0 0v-${HIGH}z` }),
      s("text", { class: "tool", x: x + 13, y: y + 20 }, fit(one.tool, wide - 36, `600 12px ${font}`)),
      s("text", { class: "id", x: x + 13, y: y + 36 }, fit(`${id}${one.seconds ? ` · ${seconds(one.seconds)}` : ""}`, wide - 20, `10.5px ${font}`)),
      s("text", { class: "sign", x: x + wide - 9, y: y + 20 }, SIGNS[status]));
    else group.append(s("text", { class: "tool", x: x + wide / 2, y: y + 27, "text-anchor": "middle" }, "Answer"));
    svg.append(group);
  }
  fill($("graph"), svg);
  zoom(0);
  const seen = new Map();
  for (const one of run.steps.values()) { const name = word(state(one), one); seen.set(name, [state(one), (seen.get(name)?.[1] || 0) + 1]); }
  fill($("legend"), [...seen].map(([name, [status, count]]) => h("span", { "data-status": status }, `${name} ${count}`)));
}

/* Zoom and pan: the panel scrolls; a mouse may also drag it, and the wheel with Ctrl (a pinch) zooms. */
const view = { size: 0, now: 0, moved: false, from: null };  // size 0: as large as it fits, but large enough to read
function zoom(by, at) {
  const svg = $("graph").firstElementChild;
  if (!run.drawing || !svg) return;
  const box = $("graph");
  const fits = Math.min(1, box.clientWidth / run.drawing.width);
  const before = view.now;
  if (by) view.size = by === "fit" ? fits : Math.min(3, Math.max(Math.min(0.2, fits), before * by));
  const size = view.now = view.size || Math.max(fits, 0.65);
  const [x, y] = at || [box.clientWidth / 2, box.clientHeight / 2];
  const [left, top] = before ? [((box.scrollLeft + x) * size) / before - x, ((box.scrollTop + y) * size) / before - y] : [(run.drawing.width * size - box.clientWidth) / 2, 0];
  svg.setAttribute("width", run.drawing.width * size);
  svg.setAttribute("height", (run.drawing.height + 4) * size);
  box.scrollTo(left, top);
  box.classList.toggle("movable", box.scrollWidth > box.clientWidth + 1 || box.scrollHeight > box.clientHeight + 1);
}
$("in").addEventListener("click", () => zoom(1.3));
$("out").addEventListener("click", () => zoom(1 / 1.3));
$("fit").addEventListener("click", () => zoom("fit"));
$("across").addEventListener("click", (e) => { e.target.textContent = $("columns").classList.toggle("wide") ? "narrow" : "wide"; view.size = 0; zoom(0); });
$("graph").addEventListener("wheel", (e) => {
  if (!e.ctrlKey) return;
  e.preventDefault();
  const place = $("graph").getBoundingClientRect();
  zoom(Math.exp(-e.deltaY / 300), [e.clientX - place.left, e.clientY - place.top]);
}, { passive: false });
$("graph").addEventListener("pointerdown", (e) => {
  view.moved = false;
  if (e.pointerType === "mouse" && !e.button) view.from = [e.clientX + $("graph").scrollLeft, e.clientY + $("graph").scrollTop];
});
addEventListener("pointermove", (e) => {
  if (!view.from) return;
  const [left, top] = [view.from[0] - e.clientX, view.from[1] - e.clientY];
  if (Math.abs(left - $("graph").scrollLeft) + Math.abs(top - $("graph").scrollTop) > 4) { view.moved = true; $("graph").classList.add("moving"); }
  if (view.moved) $("graph").scrollTo(left, top);
});
addEventListener("pointerup", () => { view.from = null; $("graph").classList.remove("moving"); });

/* The timeline --------------------------------------------------------------------------------------------------- */
function drawTimeline() {
  const began = run.started;
  const total = Math.max(now() - began, 0.001);
  const bar = (tag, from, to, title, status) => {
    const made = h(tag, { title, "data-status": status });
    made.style.left = `${Math.min(99.6, (100 * (from - began)) / total)}%`;
    made.style.width = `${Math.max(0, (100 * (Math.min(to, now()) - from)) / total)}%`;
    return made;
  };
  const rows = [];
  for (const event of run.calls)
    rows.push(h("span.name", null, h("i", null, "model"), event.purpose), h("div.lane.plan", null, bar("b", event.at - event.seconds, event.at, `${event.purpose}: ${seconds(event.seconds)}`)), h("span.took", null, seconds(event.seconds)));
  for (const one of run.steps.values()) {
    if (!one.attempts.length) continue;
    const lane = h("div.lane");
    one.attempts.forEach((attempt, n) => {
      const end = attempt.end || now();
      lane.append(bar("b", attempt.start, end, `try ${attempt.number}: ${word(attempt.status)} after ${seconds(end - attempt.start)}`, attempt.status));
      if (one.attempts[n + 1] && attempt.end) lane.append(bar("b.wait", attempt.end, one.attempts[n + 1].start, "waited before the next try"));
    });
    for (const event of one.calls) lane.append(bar("b.model", event.at - event.seconds, event.at, `model: ${event.purpose}, ${seconds(event.seconds)}`, state(one)));
    rows.push(h("button.name", { onclick: () => go(one.id) }, h("i", null, one.id), one.tool), lane, h("span.took", null, seconds(one.seconds || (one.status === "running" && now() - one.attempts[0].start))));
  }
  const axis = h("div.lane.axis", null, [0, 0.25, 0.5, 0.75, 1].map((share) => { const tick = h("i", null, share ? `${(total * share).toFixed(total < 1 ? 2 : total < 20 ? 1 : 0)} s` : "0"); tick.style.left = `${share * 100}%`; return tick; }));
  fill($("timeline"), rows.length ? rows : h("p.empty", null, "nothing has run"), rows.length > 0 && [h("span"), axis, h("span")]);
}

/* The head, the plan as written, the record --------------------------------------------------------------------- */
function drawHead() {
  const usage = run.usage || run.calls.concat(...[...run.steps.values()].map((one) => one.calls)).reduce((sum, event) =>
    ({ prompt_tokens: sum.prompt_tokens + event.usage.prompt_tokens, completion_tokens: sum.completion_tokens + event.usage.completion_tokens, calls: sum.calls + 1 }), { prompt_tokens: 0, completion_tokens: 0, calls: 0 });
  fill($("meta"), h("span.pill", { "data-status": run.status }, awaited(run) ? "waiting for you" : run.status), h("span", null, seconds(run.seconds || now() - run.started)), h("span", null, many(run.steps.size, "step")),
    h("span", null, `${many(usage.calls, "model call")}, ${many(usage.prompt_tokens + usage.completion_tokens, "token")}`), h("span", { title: run.model }, modelName(run.model)), h("span", null, moment(run.started)), run.loading && h("span", null, run.loading));
  $("question").textContent = run.question.length > 2000 ? `${run.question.slice(0, 2000)} …` : run.question || "(a plan without a question)";
  $("question").classList.toggle("long", run.question.length > 240);
  const said = run.settings.find(([name]) => name === "said");
  if (said) $("meta").append(h("span", null, `you said: ${said[1].slice(0, 200)}`));
  fields.set("question", { label: "question", text: run.question, show: () => $("top").scrollIntoView() });
  if (run.answer != null) {
    const stands = run.final.filter((part) => part.ref);
    const unsure = (!data.follow && run.status === "done" && !data.answered) || stands.length > 0 && stands.every((part) => run.steps.get(part.ref)?.status === "unanswered");
    const long = run.answer.length > 6000;
    fields.set("answer", { label: "answer", text: run.answer, show: () => $("top").scrollIntoView() });
    fill($("answer"), h("div.answer", { "data-status": unsure ? "unanswered" : run.status }, h("div.label", null, unsure ? "Not answered" : "Answer"), copyButton(() => run.answer),
      long ? textBox("answer", "answer", [{ text: run.answer }], () => $("top").scrollIntoView()) : h(`div.said${run.answer.length > 500 ? ".small" : ""}`, { "data-field": "answer" }, run.answer), sourceList(run.sources)));
  } else if (awaited(run)) {
    fill($("answer"), !data.token && h("div.answer", { "data-status": run.status }, h("div.label", null, "Waiting for your answer"), h("div.said.small", null, run.failure.message), h("p.hint", null, run.failure.hint)));
  } else if (run.failure) {
    fill($("answer"), h("div.answer", { "data-status": run.status }, h("div.label", null, `No answer: ${run.failure.kind}`), h("div.said.small", null, run.failure.message), run.failure.hint && h("p.hint", null, run.failure.hint)));
  } else fill($("answer"), h("div.answer", { "data-status": run.status }, h("div.label", null, run.status === "running" ? "Working" : "No answer"),
    h("div.said.small", null, run.status === "running" ? working() : "The record stops here: the run was stopped, or had not ended when this page was made."),
    data.own && run.status === "running" && h("p.hint", null, h("button.copy", { onclick: stop }, "stop the run")),
    data.token && run.status === "interrupted" && h("p.hint", null, h("button.copy", { onclick: () => post("resume", {}) }, "resume the run"), " What it asked you is asked again.")));
}
async function post(what, body) {
  const value = await ask(`/runs/${encodeURIComponent(run.id)}/${what}`, body);
  if (value.error) toast(value.error.message);
  else if (value.run) location.assign(`/runs/${encodeURIComponent(value.run)}`);
}
const stop = () => post("stop", {});
/* The questions to the user that an interrupted run waits with, where they can be answered here. */
const waiting = () => (run.status === "interrupted" && data.token ? [...run.steps.values()].filter(awaited)
  .map((one) => ({ step: one.id, tool: "AskUser", input: one.failure.message })) : []);
/* What the run waits for: an answer, or leave to make a call. Drawn again only when it changes, so that typing is kept. */
async function drawAsked() {
  const waits = waiting();
  let asked = waits;
  if (data.own && run.status === "running") {
    asked = (await ask(`/runs/${encodeURIComponent(run.id)}/asked`)).asked;
    if (!asked) return;
  }
  const now = JSON.stringify(asked);
  if (now === (drawAsked.shown ?? "[]")) return;
  drawAsked.shown = now;
  fill($("asked"), asked.map((one) => {
    const question = one.tool === "AskUser";
    const area = h("textarea", { rows: "2", spellcheck: "false", "aria-label": question ? "your answer" : "the input" });
    area.value = question ? "" : one.input;
    const reply = (said) => (waits.length ? post("resume", { answers: { [one.step]: said } }) : post("asked", { step: one.step, reply: said }));
    return h("form.answer.asked", { "data-status": "running", onsubmit: (event) => { event.preventDefault(); reply(!question && area.value === one.input ? true : area.value); } },
      h("div.label", null, question ? "A question to you" : "May this call be made?"), h("div.said.small", null, question ? one.input : `${one.step} calls ${one.tool}${one.why ? `, ${one.why}` : ""}, with:`),
      area, h("div", null, h("button.copy", null, question ? "answer" : "call it"), !waits.length && h("button.copy", { type: "button", onclick: () => reply(false) }, question ? "no answer" : "refuse")));
  }));
}
/* A box for a follow-up, once: what is being typed there stays. */
function drawNext() {
  if (!data.token || run.status === "running" || awaited(run) || $("next").children.length) return;
  const box = h("input", { placeholder: "Ask a follow-up", "aria-label": "Follow-up", autocomplete: "off", maxlength: "20000" });
  const go = h("button", null, "Ask");
  fill($("next"), h("form.ask.follow", { onsubmit: async (event) => {
    event.preventDefault();
    if (!box.value.trim()) return;
    go.disabled = true;
    await post("follow", { question: box.value.trim() });
    go.disabled = false;
  } }, box, go));
}
const canFork = (one) => data.token && run.status !== "running" && one.template;
/* Another input, or evidence set by hand, for one step: a new run, in which only what depends on it is run. */
function forkForm(one, written) {
  const area = h("textarea", { rows: "5", spellcheck: "false", "aria-label": "the changed text" });
  area.value = written;
  const words = { edit: "another input", set: "other evidence" };
  let what = "edit";
  const tabs = Object.keys(words).map((name) => h("button", { "aria-pressed": String(name === what), onclick: () => {
    what = name;
    area.value = name === "edit" ? written : one.text ?? "";
    tabs.forEach((tab, n) => tab.setAttribute("aria-pressed", String(Object.keys(words)[n] === name)));
  } }, words[name]));
  return h("details.fork", { open: ui.forking.has(one.id), ontoggle: (e) => (e.target.open ? ui.forking.add(one.id) : ui.forking.delete(one.id)) }, h("summary", null, h("b", null, "fork"), "change this step; only what depends on it is run again"),
    h("div.inside", null, h("div", null, h("span.tabs", null, tabs)), area, h("div", null, h("button.copy", { onclick: () => post("fork", { [what]: { [one.id]: area.value } }) }, "run the fork"))));
}
function working() {
  const busy = [...run.steps.values()].filter((one) => one.status === "running");
  return busy.length ? busy.map((one) => `${one.tool} (${one.id})`).join(", ") : run.loading || (run.steps.size ? "…" : "The model is writing the plan.");
}
function drawPlan() {
  const text = run.raw || run.writing;
  const show = () => $("plan").scrollIntoView();
  const notes = new Map();
  for (const item of run.findings) notes.set(item.line, [...(notes.get(item.line) || []), item]);
  const lines = text.split("\n");
  const raw = lines.length <= 400 && text.length < 60000
    ? h("div.text.raw.tall", { "data-field": "plan" }, lines.map((line, n) => [h("i", null, String(n + 1)), h("span", null, line || " "), (notes.get(n + 1) || []).map(finding)]))
    : h("div", null, textBox("plan", "plan", [{ text }], show), h("div.rows", null, run.findings.map(finding)));
  fields.set("plan", { label: "plan as written", text, show });
  if (run.writing && raw.lastElementChild) raw.lastElementChild.classList.add("cursor");
  fill($("plan"), h("h2", null, "The plan as the model wrote it", h("small", null, run.findings.length ? many(run.findings.length, "finding") : run.raw ? "no findings" : ""), h("span.grip"), text && copyButton(() => text)),
    run.earlier.map((one, n) => h("details", null, h("summary", null, h("b", null, `plan ${n + 1}, given up`), h("span", null, one.failure.message)), h("div.inside", null,
      field(`plan/earlier${n}`, "earlier plan", "As the model wrote it", one.raw, show), one.steps.filter((old) => old.text != null).map((old) => field(`plan/earlier${n}/${old.id}`, `${old.id} of an earlier plan`, `${old.id} ${old.tool}`, old.text, show))))),
    run.refused && failed(run.refused), text ? raw : h("p.empty", null, "nothing yet"), h("div.rows", null, run.calls.map((event, n) => call(event, `plan/call${n}`, show))));
}
const pairs = (rows) => h("dl.pairs", null, rows.filter((pair) => pair[1]).map(([name, value]) => [h("dt", null, name.replaceAll("_", " ")), h("dd", null, value)]));
const shellName = () => (/^\w[\w.-]*$/.test(run.id) ? run.id : "FILE.jsonl");  // what is copied goes into a shell
const command = (text) => h("div", null, h("code", null, text), copyButton(() => text));
function drawRecord() {
  const id = shellName();
  const parent = run.parent && data.home ? [h("a", { href: `/runs/${encodeURIComponent(run.parent)}` }, run.parent), " · ",
    h("a", { href: `/#${encodeURIComponent(run.parent)},${encodeURIComponent(run.id)}` }, "compare")] : run.parent;
  const next = run.status === "interrupted" ? [`airo resume ${id}`] : run.status === "running" ? [] : [`airo replay ${id}`, `airo why ${id}`, `airo rerun ${id}`];
  fill($("record"), h("h2", null, "Record"), pairs([["run", run.id], ["parent", parent], ["model", run.model]]), h("details", null, h("summary", null, h("b", null, "settings"), "in force for this run"), h("div.inside", null, pairs(run.settings))),
    h("div.commands", null, [...next, run.parent && `airo diff ${/^\w[\w.-]*$/.test(run.parent) ? run.parent : "PARENT"} ${id}`, `airo runs export ${id} -o ${id}.jsonl`].filter(Boolean).map(command)));
}

/* Drawing, moving about ------------------------------------------------------------------------------------------ */
function draw() {
  drawHead();
  for (const id of ui.stale) {
    const old = $(`step-${id}`);
    if (old) old.replaceWith(stepCard(run.steps.get(id)));
  }
  ui.stale.clear();
  const order = [...run.steps.keys()];
  if ([...$("steps").children].map((card) => card.id).join() !== order.map((id) => `step-${id}`).join())
    fill($("steps"), order.length ? order.map((id) => $(`step-${id}`) || stepCard(run.steps.get(id))) : h("p.empty", null, run.status === "running" ? "no steps yet" : "no steps"));
  drawGraph();
  drawTimeline();
}
function redraw() { draw(); drawPlan(); drawRecord(); drawNext(); }
function select(id) {
  ui.selected = id;
  for (const card of $("steps").children) card.classList.toggle("selected", card.id === `step-${id}`);
  drawGraph();
}
function toggle(id) { ui.open.has(id) ? ui.open.delete(id) : ui.open.add(id); ui.stale.add(id); draw(); }
function go(id, opened = true) {
  if (!run.steps.has(id)) return;
  if (opened && !ui.open.has(id)) { ui.open.add(id); ui.stale.add(id); draw(); }
  select(id);
  const card = $(`step-${id}`);
  const place = card.getBoundingClientRect();
  if (place.top < 70 || place.top > innerHeight - 160) card.scrollIntoView({ block: "start" });
}
function move(by) {
  const order = [...run.steps.keys()];
  if (!order.length) return;
  const at = order.indexOf(ui.selected);
  go(order[Math.max(0, Math.min(order.length - 1, at < 0 ? 0 : at + by))], false);
}
function openAll() {
  const close = ui.open.size === run.steps.size;
  for (const id of run.steps.keys()) { close ? ui.open.delete(id) : ui.open.add(id); ui.stale.add(id); }
  $("all").textContent = close ? "open all" : "close all";
  draw();
}

/* Search: every text of the run, also what is folded away. Matches are marked without touching the page. ----------- */
const search = { hits: [], at: -1, timer: 0 };
function find(query) {
  search.hits = [];
  search.at = -1;
  CSS.highlights?.clear();
  if (query.length < 2) { $("hits").hidden = true; return; }
  const pattern = new RegExp(query.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "gi");
  let total = 0;
  const shown = [];
  for (const [key, item] of fields) {
    pattern.lastIndex = 0;
    for (let match, count = 0; (match = pattern.exec(item.text)) && count < 1000; count += 1) {
      total += 1;
      if (count < 5 && search.hits.length < 60) search.hits.push({ key, item, at: match.index, length: match[0].length, query });
    }
  }
  for (const [n, hit] of search.hits.entries()) {
    const { text } = hit.item;
    const owner = hit.key.includes("/") ? hit.key.split("/")[0] : "";
    shown.push(h("button", { onclick: () => visit(n), "aria-selected": "false" }, h("small", null, [owner, hit.item.label].filter(Boolean).join(" · ")),
      h("span", null, text.slice(Math.max(0, hit.at - 24), hit.at).replace(/\s+/g, " "), h("b", null, text.slice(hit.at, hit.at + hit.length)), text.slice(hit.at + hit.length, hit.at + hit.length + 70).replace(/\s+/g, " "))));
  }
  fill($("hits"), h("p", null, total ? `${many(total, "match")}${total > shown.length ? `, ${shown.length} shown` : ""} · Enter moves to the next one` : "nothing found"), shown);
  $("hits").hidden = false;
  $("hits").classList.remove("going");
}
/* The place of characters `at` to `at + length` of a text box, as a range of the page. */
function rangeOf(box, at, length) {
  const walker = document.createTreeWalker(box, NodeFilter.SHOW_TEXT, (one) => (one.parentElement.closest(".from") ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT));
  const range = document.createRange();
  let begun = false;
  for (let before = 0, one; (one = walker.nextNode()); before += one.length) {
    if (!begun && at < before + one.length) { range.setStart(one, at - before); begun = true; }
    if (begun && at + length <= before + one.length) { range.setEnd(one, at + length - before); return range; }
  }
  return null;
}
function visit(n) {
  const hit = search.hits[n];
  if (!hit) return;
  search.at = n;
  $("hits").classList.add("going");
  [...$("hits").querySelectorAll("button")].forEach((one, m) => one.setAttribute("aria-selected", String(m === n)));
  hit.item.show();
  draw();
  const owner = hit.key.split("/")[0];
  if (run.steps.has(owner)) select(owner);
  const box = document.querySelector(`[data-field="${CSS.escape(hit.key)}"]`);
  if (!box) { $(`step-${owner}`)?.scrollIntoView(); return; }
  const range = box.classList.contains("raw") ? null : rangeOf(box, hit.at, hit.length);
  if (!range) { box.scrollIntoView({ block: "center" }); return; }
  CSS.highlights?.set("hit", new Highlight(range));
  range.startContainer.parentElement.scrollIntoView({ block: "nearest" });
  const [place, frame] = [range.getBoundingClientRect(), box.getBoundingClientRect()];
  box.scrollTop += place.top - frame.top - box.clientHeight / 2;
  scrollBy(0, box.getBoundingClientRect().top - 130);
}
$("search").addEventListener("input", () => { clearTimeout(search.timer); search.timer = setTimeout(() => find($("search").value), 90); });
$("search").addEventListener("keydown", (event) => {
  if (event.key === "Enter" || event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    clearTimeout(search.timer);
    if (search.hits[0]?.query !== $("search").value) find($("search").value);
    const count = search.hits.length;
    if (count) visit((search.at + (event.shiftKey || event.key === "ArrowUp" ? count - 1 + (search.at < 0) : 1)) % count);
  }
});
document.addEventListener("click", (event) => { if (!event.target.closest(".search")) $("hits").hidden = true; });

keys([
  ["j", () => move(1), "next step"], ["k", () => move(-1), "step before"],
  ["o Enter", (e) => (e.target.closest("button, a, summary") || !ui.selected ? false : toggle(ui.selected)), "open or close the step"],
  ["a", openAll, "open or close all"], ["y", () => ui.selected && copy(run.steps.get(ui.selected).text ?? ""), "copy the step's output"],
  ["g", () => scrollTo({ top: 0 }), "answer"], ["p", () => $("plan").scrollIntoView(), "plan as written"],
  ["/", () => { $("search").focus(); $("search").select(); }, "search"], ["n", () => visit((search.at + 1) % Math.max(1, search.hits.length)), "next match"],
  ["t", turn, "light or dark"], ["Escape", () => { $("hits").hidden = true; $("search").blur(); CSS.highlights?.clear(); }, ""], ["?", () => $("keys").showModal(), "these keys"],
]);
$("all").addEventListener("click", openAll);
addEventListener("resize", drawGraph);

/* Begin ---------------------------------------------------------------------------------------------------------- */
for (const event of data.events) take(event);
if (data.plan) takePlan(data.plan);
if (!data.follow && run.status === "running") run.status = "interrupted";
$("runid").textContent = run.id;
document.title = `${run.question.slice(0, 60) || run.id} · airo`;
if (data.home) $("brand").replaceWith(h("a.brand", { href: data.home, id: "brand" }, "airo"));
for (const one of run.steps.values()) if (one.status === "failed") ui.open.add(one.id);
redraw();
drawAsked();
const wanted = location.hash.replace(/^#step-/, "");
if (run.steps.has(wanted)) go(wanted);

if (data.follow) {
  const stream = new EventSource(data.follow);
  let due = false;
  const later = () => { if (!due) { due = true; setTimeout(() => { due = false; redraw(); }, 60); } };
  const clock = setInterval(() => { drawAsked(); if (run.status === "running") { drawHead(); drawTimeline(); } }, 500);
  stream.onmessage = (message) => {
    const value = JSON.parse(message.data);
    if (value.plan) takePlan(value.plan);
    if (value.event) take(value.event);
    if (value.end) { stream.close(); clearInterval(clock); data.follow = ""; data.answered = value.answered; drawAsked(); }
    later();
  };
}
