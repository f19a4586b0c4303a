#!/usr/bin/env python3
"""Makes a large return: a catalogue, and one agency's figures as CSV or as a workbook.

    benches/large/make.py FOLDER FIGURES [csv|xlsx]

writes FOLDER/catalogue.toml, FOLDER/figures.csv or .xlsx, and FOLDER/sums.csv: for each indicator the sums of its numbers,
its numerators and its denominators. They are the same on every run; every fourth indicator is a ratio.
"""

import csv
import sys
import zipfile
from pathlib import Path

INDICATORS, AREAS, MONTHS = 250, 170, 120
AGENCY = "large-agency"
HEADINGS = ["indicator", "area", "period", "value", "numerator", "denominator"]


def is_ratio(indicator):
    return indicator % 4 == 3


def figures(count):
    """So many figures, by indicator: its name, area, period, value, numerator, denominator."""
    number = 0
    for indicator in range(INDICATORS):
        for month in range(MONTHS):
            period = f"{2013 + month // 12}-{month % 12 + 1:02}"
            for area in range(AREAS):
                if number == count:
                    return
                number += 1
                chance = number * 2_654_435_761 % 2**32
                measure = ["", chance % 400, 400 + chance % 500] if is_ratio(indicator) else [chance % 5_000, "", ""]
                yield [f"count-{indicator}", f"E{10_000_000 + area}", period, *measure]
    sys.exit(f"at most {INDICATORS * AREAS * MONTHS} figures")


def catalogue():
    areas = [f"E{10_000_000 + area}" for area in range(AREAS)]
    yield '[[areas]]\ncode = "ALL"\nname = "All"\nlevel = "partnership"\n'
    for area in areas:
        yield f'[[areas]]\ncode = "{area}"\nname = "Area {area}"\nlevel = "upper-tier"\nparents = [{{ code = "ALL" }}]\n'
    listed = ", ".join(f'"{area}"' for area in areas)
    yield f'[[agencies]]\nid = "{AGENCY}"\nname = "The large agency"\nsector = "police"\nareas = [{listed}]\n'
    for indicator in range(INDICATORS):
        yield f'[[indicators]]\nid = "count-{indicator}"\ntitle = "Count {indicator}"\n'
        yield 'definition = "Something that is counted."\n'
        yield f'kind = "{"ratio" if is_ratio(indicator) else "events"}"\nunit = "cases"\ndecimals = 1\n'
        yield 'frequency = "month"\nacross_agencies = "add"\nreporting_level = "upper-tier"\ndue_days = 30\n'
        yield f'expected_agencies = [{{ agency = "{AGENCY}" }}]\n'


def write_csv(path, rows):
    with open(path, "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def write_xlsx(path, rows):
    """A workbook of one sheet, as Excel writes one, its texts within their cells."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kind}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="rId1" '
        f'Type="{relations}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{relations}"><sheets>'
        '<sheet name="Return" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="rId1" '
        f'Type="{relations}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
    }

    def cell(place, value):
        if value == "":
            return ""
        if isinstance(value, int):
            return f'<c r="{place}"><v>{value}</v></c>'
        return f'<c r="{place}" t="inlineStr"><is><t>{value}</t></is></c>'

    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as package_file:
        for name, content in parts.items():
            package_file.writestr(name, head + content)
        with package_file.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            sheet.write(f'{head}<worksheet xmlns="{main}"><sheetData>'.encode())
            for number, row in enumerate(rows, 1):
                cells = "".join(cell(f"{column}{number}", value) for column, value in zip("ABCDEF", row))
                sheet.write(f'<row r="{number}">{cells}</row>'.encode())
            sheet.write(b"</sheetData></worksheet>")


def main():
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    form = sys.argv[3] if len(sys.argv) > 3 else "csv"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "catalogue.toml").write_text("\n".join(catalogue()))
    sums = {}

    def rows():
        yield HEADINGS
        for row in figures(count):
            of = sums.setdefault(row[0], [0, 0, 0])
            for at, number in enumerate(row[3:]):
                of[at] += number or 0
            yield row

    {"csv": write_csv, "xlsx": write_xlsx}[form](folder / f"figures.{form}", rows())
    (folder / "sums.csv").write_text("".join(f"{name},{a},{b},{c}\n" for name, (a, b, c) in sums.items()))


main()
