# SPDX-License-Identifier: MIT
"""The bench's figures as one HTML file that needs nothing else: charts are inline SVG, there is no script."""
import html
import math
import statistics

STYLE = """
:root { --page: #fff; --ink: #1a1c20; --soft: #5c6470; --line: #d9dde3; --track: #eef0f3;
        --call: #2563c9; --trap: #c2570c; --native: #5c6470; --over: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --page: #15171b; --ink: #e8eaee; --soft: #a0a8b4; --line: #363b44; --track: #24282f;
          --call: #6ea8ff; --trap: #f39a55; --native: #a0a8b4; --over: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1060px; padding: 2rem 1rem 4rem; background: var(--page); color: var(--ink);
       font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.7rem; margin: 0 0 .3rem; } h2 { font-size: 1.15rem; margin: 2.4rem 0 .3rem; }
p { max-width: 46rem; margin: .3rem 0 .8rem; } .soft { color: var(--soft); }
.tiles { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1.4rem 0; }
.tile { flex: 1 1 12rem; border: 1px solid var(--line); border-radius: 8px; padding: .7rem 1rem; }
.tile b { display: block; font-size: 1.6rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; } svg { display: block; width: 100%; min-width: 720px; height: auto; }
svg text { fill: var(--ink); font: 12px system-ui, sans-serif; } svg .soft { fill: var(--soft); }
.over { fill: var(--over); } td.over { color: var(--over); font-weight: 600; }
table { border-collapse: collapse; width: 100%; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .25rem .6rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } td.what { white-space: normal; text-align: left; color: var(--soft); }
th { position: sticky; top: 0; background: var(--page); }
code { font: 12.5px ui-monospace, monospace; }
"""

ROW = 22


def number(x):
    if x is None:
        return ""
    return f"{x:,.0f}" if x >= 10000 or x == int(x) else f"{x:,.1f}"


def esc(s):
    return html.escape(str(s))


def ratio_chart(metrics):
    """A bar a metric: Paravane's cost as a part of Xen's; the mark is the budget."""
    left, width, right = 260, 520, 200
    rows = [m for m in metrics if m.ratio is not None]
    longest = max([1.0] + [m.ratio for m in rows])
    height = ROW * len(rows) + 34
    at = lambda part: left + width * part / longest
    out = [f'<svg viewBox="0 0 {left + width + right} {height}" role="img" '
           f'aria-label="Cost on Paravane as a part of the cost on Xen">']
    for part in (0, .25, .5, .75, 1):
        out.append(f'<line x1="{at(part):.1f}" x2="{at(part):.1f}" y1="4" y2="{height - 22}" stroke="var(--line)"/>'
                   f'<text class="soft" x="{at(part):.1f}" y="{height - 6}" text-anchor="middle">{part:.0%}</text>')
    for i, m in enumerate(rows):
        y = 6 + i * ROW
        xen = m.cost.get("xen", m.reference)
        over = m.met is False
        colour = "var(--over)" if over else "var(--call)"
        budget = at(min(m.budget / xen, longest))
        label = f"{number(m.cost['paravane'])} of {number(xen)}" + (", over budget" if over else "")
        title = f"{m.name}: {m.what}. Paravane {number(m.cost['paravane'])}, Xen {number(xen)}, budget {number(m.budget)}"
        out.append(f'<g><title>{esc(title)}</title>'
                   f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{esc(m.name)}</text>'
                   f'<rect x="{left}" y="{y + 4}" width="{width}" height="12" fill="var(--track)"/>'
                   f'<rect x="{left}" y="{y + 4}" width="{max(at(m.ratio) - left, 1):.1f}" height="12" rx="2" fill="{colour}"/>'
                   f'<line x1="{budget:.1f}" x2="{budget:.1f}" y1="{y + 1}" y2="{y + 19}" stroke="var(--ink)" stroke-width="2"/>'
                   f'<text class="{"over" if over else "soft"}" x="{left + width + 10}" y="{y + 14}">{esc(label)}</text></g>')
    return "".join(out) + "</svg>"


def pair_chart(pairs):
    """Dots on a logarithmic axis: what an operation costs as a hypercall, as a trap, natively."""
    left, width = 190, 700
    rows = [p for p in pairs if p[1].cost and p[2].cost]
    height = ROW * len(rows) + 34
    top = max(c for _, call, trap in rows for m in (call, trap) for c in m.cost.values()) if rows else 10
    decades = math.ceil(math.log10(top))
    at = lambda x: left + width * math.log10(max(x, 1)) / decades
    out = [f'<svg viewBox="0 0 {left + width + 30} {height}" role="img" aria-label="Hypercall against trap against native">']
    for d in range(decades + 1):
        out.append(f'<line x1="{at(10 ** d):.1f}" x2="{at(10 ** d):.1f}" y1="4" y2="{height - 22}" stroke="var(--line)"/>'
                   f'<text class="soft" x="{at(10 ** d):.1f}" y="{height - 6}" text-anchor="middle">{10 ** d:,}</text>')
    for i, (what, call, trap) in enumerate(rows):
        y = 16 + i * ROW
        out.append(f'<text x="{left - 12}" y="{y + 4}" text-anchor="end">{esc(what)}</text>')
        ours = [m.cost["paravane"] for m in (call, trap) if "paravane" in m.cost]
        if len(ours) == 2:
            out.append(f'<line x1="{at(min(ours)):.1f}" x2="{at(max(ours)):.1f}" y1="{y}" y2="{y}" stroke="var(--soft)"/>')
        for m, colour in ((call, "var(--call)"), (trap, "var(--trap)")):
            for side, fill in (("xen", "var(--page)"), ("paravane", colour)):
                if side in m.cost:
                    out.append(f'<circle cx="{at(m.cost[side]):.1f}" cy="{y}" r="5" fill="{fill}" stroke="{colour}" '
                               f'stroke-width="2"><title>{esc(m.name)} on {side}: {number(m.cost[side])}</title></circle>')
        if "native" in trap.cost:
            x = at(trap.cost["native"])
            out.append(f'<rect x="{x - 4:.1f}" y="{y - 4}" width="8" height="8" fill="var(--native)">'
                       f'<title>native: {number(trap.cost["native"])}</title></rect>')
    return "".join(out) + "</svg>"


def legend(entries):
    shapes = []
    for kind, colour, text in entries:
        shape = {"dot": f'<circle cx="7" cy="7" r="5" fill="{colour}" stroke="{colour}" stroke-width="2"/>',
                 "ring": f'<circle cx="7" cy="7" r="5" fill="none" stroke="{colour}" stroke-width="2"/>',
                 "square": f'<rect x="3" y="3" width="8" height="8" fill="{colour}"/>',
                 "mark": f'<line x1="7" x2="7" y1="0" y2="14" stroke="{colour}" stroke-width="2"/>'}[kind]
        shapes.append(f'<svg viewBox="0 0 14 14" style="display:inline;width:14px;min-width:0;vertical-align:-2px">{shape}</svg> {text}')
    return '<p class="soft">' + " &ensp; ".join(shapes) + "</p>"


def table(metrics):
    out = ['<div class="scroll"><table><tr><th>metric</th><th>Paravane</th><th>Xen</th><th>native</th><th>ratio</th>'
           "<th>budget</th><th>CR3 loads</th><th>flushes</th><th>faults</th><th>what</th></tr>"]
    for m in metrics:
        events = [f"{m.events[k]:.2f}" if k in m.events else "" for k in ("cr3", "flush", "fault")]
        over = ' class="over"' if m.met is False else ""
        cells = [f"<td><code>{esc(m.name)}</code></td><td{over}>{number(m.cost.get('paravane'))}</td>"]
        cells += [f"<td>{c}</td>" for c in (number(m.cost.get("xen")), number(m.cost.get("native")),
                                            f"{m.ratio:.2f}" if m.ratio is not None else "", number(m.budget), *events)]
        why = f" Over budget: {esc(m.reason)}." if m.met is False and m.reason else ""
        out.append("<tr>" + "".join(cells) + f'<td class="what">{esc(m.what)}.{why}</td></tr>')
    return "".join(out) + "</table></div>"


def tiles(metrics, repeats):
    judged = [m for m in metrics if m.met is not None]
    ratios = [m.ratio for m in judged if m.ratio is not None]
    xen_off = [abs(m.xen_off) for m in metrics if m.xen_off is not None]
    facts = []
    if judged:
        facts.append((f"{sum(m.met for m in judged)} of {len(judged)}", "budgets met"))
        facts.append((f"{statistics.median(ratios):.0%}", "of Xen's cost, the median operation"))
    if xen_off:
        facts.append((f"{max(xen_off):.1%}", "at most between Xen's figures here and the reference"))
    if repeats:
        facts.append(("yes" if all(repeats.values()) else "no", "two runs gave the same numbers"))
    return '<div class="tiles">' + "".join(f'<div class="tile"><b>{a}</b><span class="soft">{b}</span></div>' for a, b in facts) + "</div>"


def write_report(path, metrics, pairs, results):
    env = results["environment"]
    out = ['<!doctype html><html lang="en"><head><meta charset="utf-8">'
           '<meta name="viewport" content="width=device-width, initial-scale=1"><title>Paravane: what operations cost</title>'
           f"<style>{STYLE}</style></head><body><h1>What operations cost</h1>"
           "<p>One guest image, measured on Paravane, on Xen and on the bare machine. The unit is the executed instruction, "
           "guest and hypervisor together; bytes for <code>memory_bytes</code>.</p>"
           f'<p class="soft">{esc(env["qemu"])}, -accel {env["accelerator"]} -cpu {esc(env["cpu"])} -m {env["memory"]} '
           f'-icount {esc(env["icount"])}; {esc(", ".join(env["hypervisors"].values()))}</p>',
           tiles(metrics, results["repeats"]),
           "<h2>By hypercall, by trap, natively</h2><p>The same operation three ways, on a logarithmic axis.</p>",
           legend((("dot", "var(--call)", "hypercall on Paravane"), ("dot", "var(--trap)", "trapped instruction on Paravane"),
                   ("ring", "var(--call)", "hypercall on Xen"), ("ring", "var(--trap)", "trapped instruction on Xen"),
                   ("square", "var(--native)", "native"))),
           f'<div class="scroll">{pair_chart(pairs)}</div>']
    for section in dict.fromkeys(m.section for m in metrics):
        chosen = [m for m in metrics if m.section == section]
        if any(m.ratio is not None for m in chosen):
            out.append(f"<h2>{esc(section)}</h2>" + legend((("square", "var(--call)", "Paravane, as a part of Xen's cost"),
                                                            ("mark", "var(--ink)", "budget"))))
            out.append(f'<div class="scroll">{ratio_chart(chosen)}</div>')
    out.append("<h2>All figures</h2>" + table(metrics) + "</body></html>\n")
    with open(path, "w", encoding="utf-8") as f:
        f.write("".join(out))
