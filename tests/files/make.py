#!/usr/bin/env python3
"""Makes the files of this folder: figures as people's spreadsheets have them, the ugly kinds.

The tests read the committed files, and need neither Python nor LibreOffice. To make them again:

    pip install openpyxl && apt-get install libreoffice-calc && python3 tests/files/make.py

Workbooks are written by openpyxl and by LibreOffice here, and by rust_xlsxwriter in src/figures/corpus.rs, so that
not every one comes from a library whose habits the reader shares.
"""

import datetime
import io
import pathlib
import re
import subprocess
import tempfile
import zipfile

import openpyxl

HERE = pathlib.Path(__file__).parent
HEAD = "indicator,area,period,value"
EPISODES = "missing-episodes,E06000044"


def text(name, content, encoding="utf-8"):
    (HERE / name).write_bytes(content.encode(encoding))


def rows(*values, period="2021-04"):
    """A row for each value, of the same figure."""
    return "".join(f"{EPISODES},{period},{value}\n" for value in values)


def periods(*written):
    return HEAD + "\n" + "".join(f"{EPISODES},{period},5\n" for period in written)


def encodings_and_separators():
    plain = f"{HEAD},note\n{EPISODES},2021-04,72,Children’s £ team\n{EPISODES},2021-05,5,\n"
    text("plain.csv", plain)
    text("utf-8-with-mark.csv", plain, "utf-8-sig")
    text("utf-16-with-mark.txt", plain.replace(",", "\t"), "utf-16")
    text("utf-16-big-endian.csv", plain, "utf-16-be")
    text("windows-1252.csv", plain, "cp1252")
    text("line-ends-of-windows.csv", plain.replace("\n", "\r\n"))
    text("line-ends-of-old-macs.csv", plain.replace("\n", "\r"))
    text("semicolons.csv", plain.replace(",", ";"))
    text("tabs.txt", plain.replace(",", "\t"))
    text("separator-named.csv", "sep=;\n" + plain.replace(",", ";"))
    text("lost-characters.csv", plain.replace("’", "\ufffd"))
    text("quoted-line-breaks.csv", f'{HEAD},note\n{EPISODES},2021-04,72,"two\nlines, ""quoted"""\n{EPISODES},2021-05,x1,\n')
    text("quotation-mark-not-closed.csv", f'{HEAD},note\n{EPISODES},2021-04,72,"a note\n{EPISODES},2021-05,5,\n')
    text("quotation-mark-within.csv", f'{HEAD},note\n{EPISODES},2021-04,72,"a" note\n{EPISODES},2021-05,5,"b"\n')
    text("inches.csv", f'{HEAD},note\n{EPISODES},2021-04,72,a 5" pipe\n')
    text("web-page.xls", "<html><body><table><tr><td>indicator</td></tr></table></body></html>")
    (HERE / "old-workbook.xls").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(64))
    text("really-a-pdf.csv", "%PDF-1.7\n")
    text("empty.csv", "")


def headers():
    figure = f"{EPISODES},2021-04,72"
    text("title-above.csv", f"Return of missing children,,,\nAll figures are provisional,,,\n\n{HEAD}\n{figure}\n{EPISODES},2021-05,n/a\n")
    text("headings-in-capitals.csv", f"INDICATOR, Area ,Reference  Period,Value:\n{figure}\n")
    text("other-names.csv", f"Measure,Area code,Time_period,Figure,Notes,Flag\n{figure},As counted on 1 May,p\n")
    text("unknown-columns.csv", f"{HEAD},Team,valeu\n{figure},North,1\n{EPISODES},2021-05,5,South,2\n")
    text("unknown-columns-left-out.csv", f"{HEAD},Team,valeu\n{figure},North,1\n{EPISODES},2021-05,5,South,2\n")
    text("column-without-heading.csv", f"{HEAD},\n{figure},late\n{EPISODES},2021-05,5,\n{EPISODES},2021-06,6,late\n")
    text("columns-twice.csv", f"{HEAD},Figure\n{figure},72\n")
    text("blank-rows-and-columns.csv", f"{HEAD},,\n\n{figure},,\n,,,,,\n{EPISODES},2021-05,5,,,,\n\n\n")
    text("short-rows.csv", f"{HEAD},markers,note\n{figure}\n{EPISODES},2021-05,,x\n")
    text("notes-below.csv", f"{HEAD}\n{figure}\n\nSource: case system,,,\nPrinted on 3 May 2022\n")
    text("no-header.csv", f"{figure}\n{EPISODES},2021-05,5\n")
    text("misspelt-headings.csv", f"indicater,area,preiod,value\n{figure}\n")
    text("header-alone.csv", f"{HEAD}\n")
    text("no-value-column.csv", "indicator,area,period,note\nmissing-episodes,E06000044,2021-04,72\n")
    text("totals-below.csv", f"{HEAD}\n{figure}\nTotal,,,72\n")


def numbers_as_written():
    text("thousands.csv", HEAD + "\n" + rows('"11,648"', '"1,234.50"', "41.0", "1.234"))
    text("units.csv", f'{HEAD},base\n{EPISODES},2021-04,95.9%,40\n{EPISODES},2021-05,95.9%,\n{EPISODES},2021-06,"£1,234.50",\n{EPISODES},2021-07,£5,40\n')
    text("below-zero.csv", f"{HEAD}\n{rows('(12)', '−12', '-12', '–12', '-(12)')}")
    text("markers.csv", f"{HEAD},markers\n" + "".join(f"{EPISODES},2021-04,{value}\n" for value in ["[c],", "c,", "[x],", "X,", "z,", "low,", ",x", "[c],p", "5,p r", "5,[e]", "c,c"]))
    text("symbols.csv", f"{HEAD}\n{rows('..', ':', '-', '*', 'n/a', '.', 'nil', '<5', 'p', '#N/A', '12*')}")
    text("ratio.csv", "indicator,area,period,numerator,denominator\nassessments-timely,E06000044,FY2021-22,\"1,180\",1230\nassessments-timely,E06000044,FY2020-21,c,c\nassessments-timely,E06000044,FY2019-20,5,c\n")
    text("two-forms.csv", f"{HEAD},numerator,denominator\nassessments-timely,E06000044,FY2021-22,95.9,1180,1230\n")
    for name, values in [
        ("semicolons-ambiguous.csv", ["1.234", "1,585", "-1,585", "12"]),
        ("semicolons-decimal-comma.csv", ["95,9", "1.234,5", "1,234.5", "0,125", "41.0"]),
    ]:
        text(name, HEAD.replace(",", ";") + "\n" + "".join(f"missing-episodes;E06000044;2021-04;{value}\n" for value in values))
    text("spaces-in-numbers.csv", HEAD + "\n" + rows("12 345", "1\u00a0234", "1\u202f234", "1'234", "\u00a05\u00a0"))
    text("decimal-comma.csv", HEAD + "\n" + rows('"95,9"', '"1.234,5"'))
    text("shortened.csv", f"{HEAD}\n{rows('1.53E+05', '2E-3')}")
    text("many-decimals.csv", f"{HEAD}\n{rows('0.333333333333333', '1234567890123456')}")
    text("texts-for-numbers.csv", f"{HEAD}\n{rows('five', '5 children', 'TBC')}")
    text("formula-like.csv", f"{HEAD},note\n{EPISODES},2021-04,5,'=SUM(A1)\n{EPISODES},2021-05,=1+1,\n{EPISODES},2021-06,+5,\n")
    text("same-problem-often.csv", f"{HEAD}\n" + "".join(f"{EPISODES},{period},{value}\n" for period, value in [("2022", "5"), ("2022", "n/a"), ("2021-04", "5")] * 8))


def periods_as_written():
    text("bare-years.csv", periods("2022", "FY2022", "Q1 2021"))
    text("month-or-year.csv", periods("2009-10", "200910", "2011-12", "2011/12", "Dec 2011"))
    text("periods-as-people-write.csv", periods("Apr-22", "April 22", "202122", "202204", "19/20", "Financial year 2024-25", "Quarter 1 2021-22", "31/03/2022", "as at 31 March 2022", "2021 to 2022"))
    text("period-markers.csv", periods("2013-14 (p)", "2013-14 [r]", "2013-14 (x)"))
    text("dates.csv", periods("1/4/2022", "01/09/2022 00:00", "01/08/2022", "13/08/2022", "05/04/2022", "2022-04-01 00:00:00", "31/03/2022 09:30"))
    text("dates-are-months.csv", periods("1/4/2022", "01/09/2022 00:00", "13/08/2022", "2022-04-01 00:00:00", "Apr 2022"))
    text("dates-are-days.csv", periods("1/4/2022", "05/04/2022", "Apr 2022"))
    text("short-years.csv", periods("10/11", "22-Apr", "99/00", "Apr-99"))
    text("serial-numbers.csv", periods("44743", "44652"))
    text("no-break-spaces.csv", f"{HEAD}\n\u00a0missing-episodes\u00a0,E06000044\u00a0,Apr\u00a02021,\u00a072\n")


def workbook(name, fill):
    book = openpyxl.Workbook()
    book.remove(book.active)
    fill(book)
    book.save(HERE / name)


def sheet(book, *table, name="Figures"):
    filled = book.create_sheet(name)
    for row in table:
        filled.append(row)
    return filled


HEADINGS = HEAD.split(",")
FIGURE = ["missing-episodes", "E06000044", "2021-04", 72]


def dates(book):
    filled = sheet(book, HEADINGS)
    formats = [
        (datetime.date(2021, 4, 1), "mmm\\-yy"), (datetime.date(2022, 3, 31), "dd/mm/yyyy"),
        (datetime.date(2022, 4, 1), "mm-dd-yy"), (datetime.date(2026, 4, 21), "d\\-mmm"),
        (datetime.date(2011, 12, 1), "mmm\\-yy"), (datetime.datetime(2022, 3, 31, 9, 30), "dd/mm/yyyy hh:mm"),
        (datetime.date(2022, 8, 1), "[$-809]mmmm\\ yyyy;@"),
    ]
    for row, (date, code) in enumerate(formats, 2):
        filled.append(["missing-episodes", "E06000044", date, 5])
        filled.cell(row, 3).number_format = code
    filled.append(["missing-episodes", "E06000044", 44743, 5])
    filled.append(["missing-episodes", "E06000044", 202122, 5])
    filled.append(["missing-episodes", "E06000044", "2021-22", datetime.date(2022, 4, 1)])
    filled.cell(filled.max_row, 4).number_format = "d\\-mmm"


def numbers_in_cells(book):
    filled = sheet(book, HEADINGS + ["base"])
    for value, code, base in [
        (0.1 + 0.2, "General", None), (0.959, "0.0%", 40), (1234.5, "£#,##0.00", None), (11648, "#,##0", None),
        ("1,234", "@", None), (-12, "0;(0)", None), (1 / 3, "0.0", None), ("c", "General", None), (True, "General", None),
        (99.95, "0", None), ("1.234", "@", None),
    ]:
        filled.append(["missing-episodes", "E06000044", "2021-04", value, base])
        filled.cell(filled.max_row, 4).number_format = code


def errors(book):
    filled = sheet(book, HEADINGS + ["Team"])
    for value in ["#N/A", "#REF!", "#DIV/0!"]:
        filled.append(["missing-episodes", "E06000044", "2021-04", value, "#N/A"])
        filled.cell(filled.max_row, 4).data_type = "e"
        filled.cell(filled.max_row, 5).data_type = "e"


def formulas(book):
    filled = sheet(book, HEADINGS, ["missing-episodes", "E06000044", "2021-04", "=70+2"])
    filled.append(["missing-episodes", "E06000044", '="2021-"&"05"', 5])


def hidden_rows(book):
    filled = sheet(book, HEADINGS, *[FIGURE[:2] + [f"2021-{month:02}", month] for month in range(4, 10)])
    for row in (3, 4, 6, 9):
        filled.row_dimensions[row].hidden = True


def merged(book):
    filled = sheet(book, ["A return", None, None, None], HEADINGS, FIGURE, [None, "E06000044", "2021-05", 5], [None, "E06000044", "2021-06", 6])
    filled.merge_cells("A1:D1")
    filled.merge_cells("A3:A5")


def several(book):
    sheet(book, HEADINGS, FIGURE, name="April")
    sheet(book, HEADINGS, FIGURE, name="May")


def one_of_three(book):
    sheet(book, ["How to fill this in"], ["Use the sheet Return."], name="Notes")
    sheet(book, HEADINGS, FIGURE, name="Return")
    sheet(book, ["E06000044", "Portsmouth"], name="Lists")


def hidden_sheet(book):
    one_of_three(book)
    book["Return"].sheet_state = "hidden"


def hidden_besides(book):
    several(book)
    book["May"].sheet_state = "veryHidden"


def months_across(book):
    months = [datetime.date(2021, month, 1) for month in (4, 5, 6)]
    filled = sheet(book, ["Missing children 2021-22"], [], ["Place", "What"] + months + ["2021-22"])
    for column in (3, 4, 5):
        filled.cell(3, column).number_format = "mmm\\-yy"
    filled.append(["Portsmouth", "Episodes", 72, "c", None, 190])
    filled.append(["E06000044", "missing-episodes", 1.5, "n/a", "#N/A", 5])


def workbooks_of_openpyxl():
    mapping = 'across = "period"\n[columns]\narea = "Place"\nindicator = "What"\n[values.area]\nPortsmouth = "E06000044"\n'
    text("openpyxl-months-across.toml", mapping + '[values.indicator]\nepisodes = "missing-episodes"\n')
    workbook("openpyxl-months-across.xlsx", months_across)
    text("indicators-across.toml", 'across = "indicator"\nheader-row = 2\n[values.indicator]\nContacts = "initial-contacts"\nEpisodes = "missing-episodes"\n')
    text("indicators-across.csv", "Area,Month,Contacts\nArea,Month,Contacts,Episodes,Team\nE06000044,Apr-21,153,72,North\n")
    workbook("openpyxl-plain.xlsx", lambda book: sheet(book, HEADINGS, FIGURE, FIGURE[:2] + ["2021-05", 5]))
    workbook("openpyxl-dates.xlsx", dates)
    workbook("openpyxl-dates-are-months.xlsx", dates)
    workbook("openpyxl-numbers.xlsx", numbers_in_cells)
    workbook("openpyxl-errors.xlsx", errors)
    workbook("openpyxl-formulas-without-values.xlsx", formulas)
    workbook("openpyxl-hidden-rows.xlsx", hidden_rows)
    workbook("openpyxl-merged.xlsx", merged)
    workbook("openpyxl-two-sheets-with-columns.xlsx", several)
    workbook("openpyxl-sheet-named.xlsx", several)
    workbook("openpyxl-sheet-not-there.xlsx", several)
    workbook("openpyxl-one-sheet-of-three.xlsx", one_of_three)
    workbook("openpyxl-hidden-sheet.xlsx", hidden_sheet)
    workbook("openpyxl-hidden-sheet-besides.xlsx", hidden_besides)
    workbook("openpyxl-no-columns.xlsx", lambda book: (sheet(book, ["a", "b"], [1, 2], name="One"), sheet(book, ["c"], name="Two")))
    workbook("openpyxl-far-cells.xlsx", lambda book: sheet(book, HEADINGS, FIGURE).cell(3, 600, "x"))
    workbook("openpyxl-title-above.xlsx", lambda book: sheet(book, ["Return"], [], HEADINGS, FIGURE, ["Source: case system"]))


def libreoffice(source, name, to="xlsx"):
    with tempfile.TemporaryDirectory() as folder:
        command = ["soffice", "--headless", "--convert-to", to, "--outdir", folder, str(source)]
        if source.suffix == ".csv":
            # Commas, quotes, UTF-8, British English, and texts that look like numbers and dates become such.
            command.insert(2, "--infilter=CSV:44,34,76,1,,2057,false,true")
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        made = pathlib.Path(folder, source.with_suffix("." + to).name)
        (HERE / name).write_bytes(made.read_bytes())


def workbooks_of_libreoffice():
    libreoffice(HERE / "plain.csv", "libreoffice-plain.xlsx")
    libreoffice(HERE / "periods-as-people-write.csv", "libreoffice-periods.xlsx")
    libreoffice(HERE / "dates.csv", "libreoffice-dates.xlsx")
    libreoffice(HERE / "units.csv", "libreoffice-units.xlsx")
    libreoffice(HERE / "openpyxl-formulas-without-values.xlsx", "libreoffice-formulas.xlsx")
    libreoffice(HERE / "openpyxl-hidden-rows.xlsx", "libreoffice-hidden-rows.xlsx")
    libreoffice(HERE / "plain.csv", "libreoffice.ods", "ods")


def damaged_workbooks():
    plain = (HERE / "openpyxl-plain.xlsx").read_bytes()
    (HERE / "cut-short.xlsx").write_bytes(plain[: len(plain) // 2])

    def changed(name, change, source="openpyxl-plain.xlsx"):
        made = io.BytesIO()
        with zipfile.ZipFile(HERE / source) as package, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
            for part in package.namelist():
                kept, content = change(part, package.read(part))
                new.writestr(kept, content)
        (HERE / name).write_bytes(made.getvalue())

    claim = re.compile(rb'uniqueCount="\d+"')
    changed("claims-many-texts.xlsx", lambda part, content: (part, claim.sub(b'uniqueCount="99999999999"', content)), "rust-plain.xlsx")
    changed("binary.xlsb", lambda part, content: (part.replace("workbook.xml", "workbook.bin"), content))
    changed("not-xml.xlsx", lambda part, content: (part, b"<a><b>" if part.endswith("sheet1.xml") else content))
    with zipfile.ZipFile(HERE / "zip-of-something-else.zip", "w") as package:
        package.writestr("figures.csv", HEAD)


if __name__ == "__main__":
    encodings_and_separators()
    headers()
    numbers_as_written()
    periods_as_written()
    workbooks_of_openpyxl()
    workbooks_of_libreoffice()
    damaged_workbooks()
