"""The template as an analyst uses it: made, filled in and saved by LibreOffice, checked, mended, submitted.

What a spreadsheet is told to do (pick-lists, checks of numbers, cells that can't be changed) is read by openpyxl, of the
workbook as it was made and as LibreOffice saved it.

Usage: workbook.py HOST:PORT CONSPECTUS FOLDER; the demo's server, its keys in the environment.
"""

import os
import pathlib
import subprocess
import sys

import openpyxl

import libreoffice

SERVER, CONSPECTUS, FOLDER = sys.argv[1], os.path.abspath(sys.argv[2]), pathlib.Path(sys.argv[3])
AGENCY = "portsmouth-childrens-services"


def conspectus(verb, *arguments, status=0):
    command = [CONSPECTUS, verb, *arguments, "--agency", AGENCY, "--as", AGENCY, "--server", f"http://{SERVER}"]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=30)
    assert done.returncode == status, (command, done)
    return done.stdout + done.stderr


class Sheet:
    """The sheet to fill in."""

    def __init__(self, name):
        self.workbook = openpyxl.load_workbook(FOLDER / name)
        self.sheet = self.workbook["Figures"]
        self.columns = {cell.value: cell.column for cell in self.sheet[1]}
        self.indicators = [row[0].value for row in self.sheet.iter_rows(min_row=2)]

    def row(self, indicator, nth=0):
        return [at for at, it in enumerate(self.indicators, 2) if it == indicator][nth]

    def at(self, row, column):
        return row, self.columns[column]

    def checks(self, row, column):
        cell = self.sheet.cell(*self.at(row, column)).coordinate
        return [it for it in self.sheet.data_validations.dataValidation if cell in it.sqref]

    def looks_right(self):
        """A percentage, a count and what is given: what may be changed, and to what."""
        contacts, timely = self.row("initial-contacts"), self.row("assessments-timely")
        assert self.sheet.protection.sheet
        locked = lambda row, column: self.sheet.cell(*self.at(row, column)).protection.locked
        assert all(locked(contacts, name) for name in ("indicator", "area", "period", "title", "place", "due", "numerator"))
        assert not any(locked(contacts, name) for name in ("value", "markers", "note", "explanation"))
        assert not any(locked(timely, name) for name in ("value", "numerator", "denominator", "base"))
        [count] = self.checks(contacts, "value")
        letter = self.sheet.cell(*self.at(contacts, "value")).column_letter
        first = min(area.min_row for area in count.sqref.ranges)
        allowed = f"AND(ISNUMBER({letter}{first}),{letter}{first}>=0,ROUND({letter}{first},0)={letter}{first})"
        assert (count.type, count.formula1) == ("custom", allowed), count
        assert count.errorStyle in (None, "stop") and "a whole number, 0 or more" in count.error, count
        assert count.promptTitle == "Initial contacts" and "front door" in count.prompt, count
        [numerator] = self.checks(timely, "numerator")
        assert "OR(ISBLANK(" in numerator.formula1 and "at most the denominator" in numerator.error, numerator
        [markers] = self.checks(contacts, "markers")
        assert (markers.type, markers.formula1) == ("list", '"c,x,z,low,u,e,p,r,b"'), markers
        [breakdown] = self.checks(self.sheet.max_row, "breakdown")
        column, rows = breakdown.formula1.split("!")[1].replace("$", "").split(":")[0][0], breakdown.formula1
        choices = [cell.value for cell in self.workbook["Lists"][column]]
        assert breakdown.type == "list" and "sex=female" in choices, (rows, choices)


period = "FY2022-23"
print(conspectus("template", "--period", period, "--output", "figures.xlsx"), end="")
made = Sheet("figures.xlsx")
made.looks_right()
# Without a window LibreOffice saves no panes, so only here.
assert made.sheet.freeze_panes == "A2"

# A count that isn't one, a numerator above its denominator, and a row that says why there is none.
rows = [row for row, indicator in enumerate(made.indicators, 2) if indicator]
timely, conversion = made.row("assessments-timely"), made.row("s47-to-conference")
contacts, cost, none = made.row("initial-contacts"), made.row("placement-cost"), made.row("referrals")
further = made.indicators.index(None) + 2
filled = {
    made.at(timely, "numerator"): 1130,
    made.at(timely, "denominator"): 1180,
    made.at(contacts, "note"): "=1+1 is no formula here",
    made.at(cost, "value"): -1234,
    made.at(none, "markers"): "x",
    made.at(further, "indicator"): "initial-contacts",
    made.at(further, "area"): "E06000044",
    made.at(further, "period"): period,
    made.at(further, "breakdown"): "sex=female",
    made.at(further, "value"): 5,
}
wrong = {made.at(contacts, "value"): 12.5, made.at(conversion, "numerator"): 210, made.at(conversion, "denominator"): 200}
libreoffice.fill_in(FOLDER, "figures.xlsx", {**filled, **wrong}, "filled.xlsx")
found = conspectus("submit", "filled.xlsx", "--dry-run", status=3)
for expected in (
    f"sheet `Figures`, row {conversion}, column numerator",
    f"sheet `Figures`, row {contacts}, column value",
    "found no value; write one, or say in markers why",
):
    assert expected in found, found
assert "3 problems in filled.xlsx" in found, found

mended = {made.at(contacts, "value"): 12, made.at(conversion, "value"): 41.5, made.at(conversion, "base"): 200}
libreoffice.fill_in(FOLDER, "figures.xlsx", {**filled, **mended}, "filled.xlsx")
Sheet("filled.xlsx").looks_right()
empty = len(rows) - 5
checked = conspectus("submit", "filled.xlsx", "--dry-run", "--skip-empty")
for expected in (
    "submitting it would give: 6 new, 0 revised, 0 unchanged.",
    f"row {timely}: assessments-timely E06000044 {period}: new, 1,130 of 1180",
    f"row {conversion}: s47-to-conference E06000044 {period}: new, 41.5 % of 200",
    f"row {cost}: placement-cost E06000044 {period}: new, -1,234",
    f"row {none}: referrals E06000044 {period}: new, [x]",
    f"row {further}: initial-contacts E06000044 {period}, sex=female: new, 5",
    f"{empty} empty rows were left out: sheet `Figures`, rows ",
):
    assert expected in checked, (expected, checked)
assert "6 new, 0 revised" in conspectus("submit", "filled.xlsx", "--skip-empty")
assert "these 6 figures stand" in conspectus("submit", "filled.xlsx", "--skip-empty")

# The next template has what was reported beside what is to be.
conspectus("template", "--period", "FY2023-24", "--output", "next.xlsx")
following = Sheet("next.xlsx")
before = following.sheet.cell(*following.at(following.row("assessments-timely"), "previous")).value
assert before == "1,130 of 1180", before
print(f"a workbook of {len(rows)} rows, filled in and saved by LibreOffice, was checked, mended and submitted")
