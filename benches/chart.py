#!/usr/bin/env python3
"""Records what `benches/peers/run --json FILE` wrote: `benches/chart.py FILE...`, a file for each number of observations.

It writes the tables of docs/performance.md between their marks, adds where the goals stand to docs/goals.jsonl, a line for
a commit and size, and the sizes to docs/growth.csv, and draws both. No figure of these is typed by hand. With
`--docs FOLDER` it does so in another folder than docs/.
"""

import argparse
import csv
import html
import json
import math
import pathlib
import re

DOCS = pathlib.Path(__file__).resolve().parents[1] / "docs"
SECTIONS = {
    "machine": "The machine's disk",
    "single": "Submissions of one observation, durable",
    "open": "The same at a fixed rate",
    "large": "Submissions of 1,000 observations as messages, durable",
    "bulk": "As columns, and in streams",
    "engine": "The engine, without a network",
    "queries": "Questions",
    "not_plain": "Questions that aren't plain, beside plain ones of as many cells",
    "under_load": "Questions while 64 senders write, beside the echo under the same",
    "size": "Start and size",
    "identities": "With keys, the audit log and the log on",
}
PEERS = ("PostgreSQL", "DuckDB", "ClickHouse")
PEER_TITLES = {
    "fdatasync_append_p50": "4 KiB appended and synced, p50",
    "fdatasync_overwrite_p50": "4 KiB overwritten and synced, p50",
    "single_1": "one observation, durable, 1 sender",
    "single_16": "16 senders",
    "single_64": "64 senders",
    "many_1": "1,000 observations, durable, 1 sender",
    "many_16": "16 senders",
    "bulk": "in bulk",
    "disk": "disk, an observation",
    **{f"q{number}_p50": f"Q{number}, p50" for number in range(1, 5)},
    **{f"q{number}_senders_16": f"Q{number}, 16 at a time" for number in range(1, 5)},
}
# Details that the JSON has, and no reader of the tables needs.
DETAIL = re.compile(r"_cpu_(user|system)|_context_|_echo_|_p99_9_")
GROWTH = {  # column: where it is
    "q1_ms": ("queries", "q1_p50_ms"),
    "q2_ms": ("queries", "q2_p50_ms"),
    "q3_ms": ("queries", "q3_p50_ms"),
    "q4_ms": ("queries", "q4_p50_ms"),
    "cells_1200_ms": ("not_plain", "as_of_newest_p50_ms"),
    "single_64_per_s": ("single", "senders_64_per_s"),
    "last_obs_per_s": ("size", "last_obs_per_s"),
    "start_s": ("size", "start_s"),
    "memory_received_bytes": ("size", "memory_received_bytes_per_obs"),
    "memory_replayed_bytes": ("size", "memory_replayed_bytes_per_obs"),
    "disk_bytes": ("size", "disk_bytes_per_obs"),
}
GROWTH_TITLES = {
    "q1_ms": "Q1 p50, ms",
    "q2_ms": "Q2 p50, ms",
    "q3_ms": "Q3 p50, ms",
    "q4_ms": "Q4 p50, ms",
    "cells_1200_ms": "a question of 1,200 cells at every size, p50, ms",
    "single_64_per_s": "one observation, 64 senders: /s",
    "last_obs_per_s": "1,000 a submission when full, 16 senders: obs/s",
    "start_s": "start to serving, s",
    "memory_received_bytes": "memory once received, bytes/obs",
    "memory_replayed_bytes": "memory once replayed, bytes/obs",
    "disk_bytes": "disk, bytes/obs",
}
SERIES = [  # column, label, factor to milliseconds (None: of a rate), colour
    ("start_s", "start to serving", 1000, "#444444"),
    ("q3_ms", "Q3: whole picture", 1, "#b2182b"),
    ("q2_ms", "Q2: 120 months", 1, "#ef8a62"),
    ("q1_ms", "Q1: one month by area", 1, "#2166ac"),
    ("q4_ms", "Q4: a year of a ratio", 1, "#67a9cf"),
    ("cells_1200_ms", "1,200 cells at every size", 1, "#762a83"),
    ("single_64_per_s", "one submission at load", None, "#1b7837"),
]


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("files", nargs="+", type=pathlib.Path)
    arguments.add_argument("--docs", type=pathlib.Path, default=DOCS)
    args = arguments.parse_args()
    runs = sorted((json.loads(file.read_text()) for file in args.files), key=observations)
    history = record_goals(args.docs / "goals.jsonl", runs)
    growth = record_growth(args.docs / "growth.csv", runs)
    (args.docs / "goals.svg").write_text(draw_goals(history))
    (args.docs / "growth.svg").write_text(draw_growth(growth))
    page = args.docs / "performance.md"
    text = page.read_text()
    for name, table in (
        ("goals", goals_table(runs)),
        ("figures", figures_tables(runs[0])),
        ("peers", "\n\n".join(peers_table(run) for run in runs if run["peers"])),
        ("growth", growth_table(growth)),
    ):
        marks = re.compile(f"(<!-- {name}: written by benches/chart.py -->\n).*?(<!-- {name}: end -->)", re.DOTALL)
        text, count = marks.subn(lambda found: f"{found[1]}\n{table}\n\n{found[2]}", text)
        if count != 1:
            raise SystemExit(f"{page} has no place for {name}")
    page.write_text(text)


def observations(run):
    return run["measured"]["observations"]


def in_order(rows):
    return sorted(rows.items(), key=lambda row: row[1]["at"])


def commit(run):
    return run["commit"]["id"] + ("+" if run["commit"]["changed"] else "")


def size(count):
    return f"{count / 1e6:g} M"


def figure(value):
    """Three digits, or all before the point."""
    if value is None:
        return "–"
    if abs(value) >= 1e6:
        return f"{value / 1e6:.3g} M"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.{1 if abs(value) >= 10 else 2 if abs(value) >= 0.1 else 3}f}"


def bound(goal):
    kind, limit = next(iter(goal["bound"].items()))
    return f"{'≥' if kind == 'at_least' else '≤'} {figure(limit)} {goal['unit'] or ''}".strip()


def of_run(run):
    machine, measured = run["machine"], run["measured"]
    return (
        f"{machine['date'][:10]}, commit `{commit(run)}`, {measured['observations']:,} observations, medians of "
        f"{measured['runs']} runs of {measured['seconds']:g} s; {machine['processor']}, {machine['cores']} cores, "
        f"load average {machine['load_average_at_the_start']:g} before and "
        f"{measured['load_average_at_the_end']:g} at the end"
    )


def goals_table(runs):
    """A row for each goal, a column for each size."""
    rows = {}
    for run in runs:
        for goal in run["goals"]:
            rows.setdefault((goal["goal"], goal["figure"]), {})[observations(run)] = goal
    sizes = [observations(run) for run in runs]
    lines = [f"- {of_run(run)}" for run in runs] + [""]
    lines += ["| goal | " + " | ".join(map(size, sizes)) + " |", "|---" * (1 + len(sizes)) + "|"]
    for (what, _), of_size in rows.items():
        cells = []
        for count in sizes:
            goal = of_size.get(count)
            met = {True: "yes", False: "**no**", None: "not measured"}[goal["met"]] if goal else ""
            cells.append(f"{bound(goal)}: {figure(goal['stands_at'])}, {met}" if goal else "")
        lines.append(f"| {what} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def figures_tables(run):
    parts = [f"{of_run(run)}."]
    for section, title in SECTIONS.items():
        rows = run["figures"].get(section, {})
        lines = [f"**{title}**", "", "| what | measured | from – to | beside | ratio |", "|---|---|---|---|---|"]
        for key, row in in_order(rows):
            if DETAIL.search(key):
                continue
            beside = f"{row['beside']['label']} {figure(row['beside']['median'])}" if "beside" in row else ""
            ratio = figure(row["ratio"]["median"]) if "ratio" in row else ""
            spread = f"{figure(row['lowest'])} – {figure(row['highest'])}"
            lines.append(f"| {row['label']} | {figure(row['median'])} {row['unit']} | {spread} | {beside} | {ratio} |")
        if rows:
            parts.append("\n".join(lines))
    return "\n\n".join(parts)


def peers_table(run):
    """A peer's figure, and in brackets how many times better the service was."""
    rows = run["figures"].get("peers", {})
    names = [name for name in PEERS if name in run["peers"]]
    lines = [f"{of_run(run)}. In brackets: how many times better the service was in the same run.", ""]
    lines.append("| | conspectus | " + " | ".join(f"{name} {run['peers'][name]}" for name in names) + " |")
    lines.append("|---" * (2 + len(names)) + "|")
    first = names[0].lower() + "_" if names else ""
    for key in (key.removeprefix(first) for key, _ in in_order(rows) if key.startswith(first)):
        of_peers = [rows.get(f"{name.lower()}_{key}") for name in names]
        cells = []
        for row in of_peers:
            if row is None:
                cells.append("–")
                continue
            ratio = row["ratio"]["median"]
            # A few observations take no more of the disk than none do.
            if ratio == 0:
                cells.append(figure(row["beside"]["median"]))
                continue
            better = 1 / ratio if row["less_is_better"] else ratio
            cells.append(f"{figure(row['beside']['median'])} ({figure(better)} ×)")
        ours = of_peers[0]
        # A key ends with its unit.
        title = next(title for name, title in PEER_TITLES.items() if key.startswith(name + "_"))
        lines.append(f"| {title}, {ours['unit']} | {figure(ours['median'])} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def growth_table(rows):
    lines = ["| | " + " | ".join(size(int(row["observations"])) for row in rows) + " |", "|---" * (1 + len(rows)) + "|"]
    lines.append("| commit | " + " | ".join(f"`{row['commit']}`" for row in rows) + " |")
    for column, title in GROWTH_TITLES.items():
        cells = [figure(float(row[column])) if row[column] else "–" for row in rows]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def record_goals(path, runs):
    """The history, with these runs in place of earlier ones of the same commit and size."""
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    for run in runs:
        kept = ("goal", "unit", "bound", "stands_at", "met")
        goals = [{name: goal[name] for name in kept} for goal in run["goals"]]
        line = {
            "commit": commit(run),
            "date": run["machine"]["date"],
            "observations": observations(run),
            "processor": run["machine"]["processor"],
            "goals": goals,
        }
        same = [at for at, it in enumerate(lines) if (it["commit"], it["observations"]) == (line["commit"], line["observations"])]
        for at in reversed(same):
            del lines[at]
        lines.append(line)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return lines


def record_growth(path, runs):
    """A row for each size: the newest."""
    rows = {}
    if path.exists():
        with path.open(newline="") as file:
            rows = {int(row["observations"]): row for row in csv.DictReader(file)}
    for run in runs:
        row = {"observations": observations(run), "commit": commit(run)}
        for column, (section, key) in GROWTH.items():
            found = run["figures"].get(section, {}).get(key)
            row[column] = f"{found['median']:.4g}" if found else ""
        rows[observations(run)] = row
    rows = [rows[count] for count in sorted(rows)]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["observations", "commit", *GROWTH], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return rows


def svg(width, height, parts):
    start = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif"'
    return "\n".join([f'{start} font-size="11">', f'<rect width="{width}" height="{height}" fill="white"/>', *parts, "</svg>", ""])


def text(x, y, words, **attributes):
    of = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in attributes.items())
    return f'<text x="{x:.1f}" y="{y:.1f}"{of}>{html.escape(words)}</text>'


def draw_goals(history):
    """For each goal how many times it is reached, over the commits, a line for each size: above the grey line it is met. The
    scale is logarithmic, from a tenth to ten times."""
    columns, width, height, left, top = 4, 250, 88, 12, 30
    commits = list(dict.fromkeys(line["commit"] for line in history))
    panels = {}
    for line in history:
        for goal in line["goals"]:
            if goal["stands_at"]:
                of_size = panels.setdefault(goal["goal"], {}).setdefault(line["observations"], [])
                of_size.append((line["commit"], goal))
    parts = []
    for number, (what, sizes) in enumerate(panels.items()):
        x0, y0 = width * (number % columns) + left, height * (number // columns)
        half = (height - top - 12) / 2
        middle = y0 + top + half
        parts.append(text(x0, y0 + 12, what, font_size=10))
        parts.append(f'<line x1="{x0}" x2="{x0 + width - 2 * left}" y1="{middle:.1f}" y2="{middle:.1f}" stroke="#999999"/>')
        for at, (count, points) in enumerate(sizes.items()):
            goal = points[-1][1]
            colour = "#1b7837" if goal["met"] else "#b2182b"
            stands = f"{size(count)}: {figure(goal['stands_at'])} ({bound(goal)})"
            parts.append(text(x0 + at * 75, y0 + 24, stands if len(sizes) == 1 else f"{size(count)}: {figure(goal['stands_at'])}", fill=colour))
            line = []
            for commit, goal in points:
                kind, limit = next(iter(goal["bound"].items()))
                reached = goal["stands_at"] / limit if kind == "at_least" else limit / goal["stands_at"]
                x = x0 + (width - 2 * left) * (commits.index(commit) / max(1, len(commits) - 1))
                y = middle - half * max(-1, min(1, math.log10(max(reached, 1e-3))))
                line.append(f"{x:.1f},{y:.1f}")
                title = html.escape(f"{commit}, {size(count)}: {reached:.2f} of the goal")
                parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"><title>{title}</title></circle>')
            parts.append(f'<polyline points="{" ".join(line)}" fill="none" stroke="{colour}" stroke-dasharray="{"5 3" if at else "none"}"/>')
    return svg(columns * width, height * math.ceil(len(panels) / columns) + 8, parts)


def draw_growth(rows):
    """Times against the number of observations; both axes are logarithmic, so that what grows in step with it has the slope of
    the grey lines."""
    width, height, left, top, right, bottom, low, high = 760, 420, 60, 20, 150, 40, 0.01, 100_000.0
    counts = [int(row["observations"]) for row in rows]

    def x(count):
        share = math.log(count / counts[0]) / math.log(counts[-1] / counts[0]) if len(counts) > 1 else 0
        return left + share * (width - left - right)

    def y(value):
        return height - bottom - math.log(value / low) / math.log(high / low) * (height - top - bottom)

    parts = []
    for power in range(-2, 6):
        at = y(10.0**power)
        parts.append(f'<line x1="{left}" x2="{width - right}" y1="{at:.1f}" y2="{at:.1f}" stroke="#dddddd"/>')
        parts.append(text(left - 6, at + 4, f"{10.0**power:g} ms", text_anchor="end"))
    for start in (0.05, 5):  # In step with the number of observations.
        ends = f'x1="{x(counts[0]):.1f}" y1="{y(start):.1f}" x2="{x(counts[-1]):.1f}" y2="{y(start * counts[-1] / counts[0]):.1f}"'
        parts.append(f'<line {ends} stroke="#bbbbbb" stroke-dasharray="2 4"/>')
    for count in counts:
        parts.append(text(x(count), height - bottom + 18, size(count), text_anchor="middle"))
    for column, label, factor, colour in SERIES:
        found = [(int(row["observations"]), float(row[column])) for row in rows if row[column]]
        points = [(x(count), y(1000 / value if factor is None else value * factor)) for count, value in found]
        if points:
            line = " ".join(f"{px:.1f},{py:.1f}" for px, py in points)
            parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
            parts.append(text(points[-1][0] + 6, points[-1][1] + 4, label, fill=colour))
    return svg(width, height, parts)


if __name__ == "__main__":
    main()
