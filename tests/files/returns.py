#!/usr/bin/env python3
"""Makes the workbooks of docs/first-return.md: a template that an analyst filled in, with mistakes, mended, and
corrected later. LibreOffice fills them in and saves them.

Usage: tests/files/returns.py CONSPECTUS; needs openpyxl and LibreOffice, and the variables that the demo's server prints.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

import openpyxl

ROOT = pathlib.Path(__file__).parents[2]
sys.path.append(str(ROOT / "tests/clients"))
import libreoffice

AGENCY = "portsmouth-childrens-services"


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        make = ["template", "--agency", AGENCY, "--as", AGENCY, "--period", "FY2021-22-Q1", "--output", "figures.xlsx"]
        subprocess.run([os.path.abspath(sys.argv[1]), *make], cwd=folder, check=True)
        sheet = openpyxl.load_workbook(folder / "figures.xlsx")["Figures"]
        columns = {cell.value: cell.column for cell in sheet[1]}
        rows = {(row[0].value, row[columns["period"] - 1].value): row[0].row for row in sheet.iter_rows(min_row=2)}

        def fill_in(target, values):
            cells = {(rows[indicator, period], columns[column]): value for indicator, period, column, value in values}
            libreoffice.fill_in(folder, "figures.xlsx", cells, target)
            (ROOT / "docs" / target).write_bytes((folder / target).read_bytes())

        quarter = "FY2021-22-Q1"
        figures = [
            ("children-looked-after", quarter, "value", 381),
            ("children-missing", quarter, "value", 38),
            ("mash-referrals-received-from-police", "2021-05", "value", 402),
            ("mash-referrals-received-from-police", "2021-06", "value", 418),
            ("missing-episodes", "2021-04", "value", 70),
            ("missing-episodes", "2021-05", "value", 64),
        ]
        fill_in(
            "return-with-mistakes.xlsx",
            [
                *figures,
                ("mash-referrals-received-from-police", "2021-04", "value", 39.5),
                ("missing-episodes", "2021-06", "value", "n/a"),
            ],
        )
        mended = [
            *figures,
            ("mash-referrals-received-from-police", "2021-04", "value", 395),
            ("missing-episodes", "2021-06", "markers", "x"),
            ("missing-episodes", "2021-06", "note", "the system was replaced"),
        ]
        fill_in("return.xlsx", mended)
        fill_in(
            "return-corrected.xlsx",
            [*mended, ("missing-episodes", "2021-04", "value", 72), ("children-looked-after", quarter, "value", 379)],
        )


main()
