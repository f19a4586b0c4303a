#!/usr/bin/env python3
"""Draws how cost grows: `benches/chart.py < docs/growth.csv > docs/growth.svg`.

The CSV is what `cargo bench --bench load -- --growth …` prints. Both axes are logarithmic, so that what grows in step
with the number of observations has the slope of the grey lines.
"""

import csv
import math
import sys

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 760, 420, 60, 20, 150, 40
SERIES = [  # column, label, factor to milliseconds, colour
    ("start_s", "start to serving", 1000, "#444444"),
    ("q3_ms", "Q3: whole picture", 1, "#b2182b"),
    ("q2_ms", "Q2: 120 months", 1, "#ef8a62"),
    ("q1_ms", "Q1: one month by area", 1, "#2166ac"),
    ("q4_ms", "Q4: a year of a ratio", 1, "#67a9cf"),
    ("single_per_s", "one submission at load", None, "#1b7837"),
]


def milliseconds(row, column, factor):
    """A measurement as milliseconds; a rate as the time that each takes."""
    value = float(row[column])
    return 1000 / value if factor is None else value * factor


def main():
    rows = list(csv.DictReader(sys.stdin))
    counts = [int(row["observations"]) for row in rows]
    low, high = 0.01, 10_000.0

    def x(count):
        share = math.log(count / counts[0]) / math.log(counts[-1] / counts[0])
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(value):
        return HEIGHT - BOTTOM - math.log(value / low) / math.log(high / low) * (HEIGHT - TOP - BOTTOM)

    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">')
    print(f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>')
    for power in range(-2, 5):
        at = y(10.0**power)
        print(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}" stroke="#dddddd"/>')
        print(f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{10.0**power:g} ms</text>')
    for start in (0.05, 5):  # In step with the number of observations.
        end = start * counts[-1] / counts[0]
        print(f'<line x1="{x(counts[0]):.1f}" y1="{y(start):.1f}" x2="{x(counts[-1]):.1f}" y2="{y(end):.1f}" stroke="#bbbbbb" stroke-dasharray="2 4"/>')
    for count in counts:
        print(f'<text x="{x(count):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{count // 1_000_000} M</text>')
    for column, label, factor, colour in SERIES:
        points = [(x(count), y(milliseconds(row, column, factor))) for count, row in zip(counts, rows)]
        line = " ".join(f"{px:.1f},{py:.1f}" for px, py in points)
        print(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        print(f'<text x="{points[-1][0] + 6:.1f}" y="{points[-1][1] + 4:.1f}" fill="{colour}">{label}</text>')
    print("</svg>")


main()
