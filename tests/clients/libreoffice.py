"""Workbooks filled in and saved by LibreOffice, as an analyst does it, without a window."""

import subprocess

# What LibreOffice runs: each line of a file has a row and a column, counted from 0, a kind, and what is written there.
FILL_IN = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE script:module PUBLIC "-//OpenOffice.org//DTD OfficeDocument 1.0//EN" "module.dtd">
<script:module xmlns:script="http://openoffice.org/2000/script" script:name="Module1" script:language="StarBasic">
Sub FillIn(Source As String, Values As String, Target As String)
    Dim Hidden(0) As New com.sun.star.beans.PropertyValue
    Hidden(0).Name = "Hidden"
    Hidden(0).Value = True
    Document = StarDesktop.loadComponentFromURL(ConvertToURL(Source), "_blank", 0, Hidden())
    Sheet = Document.Sheets.getByName("Figures")
    Open Values For Input As #1
    Do While Not EOF(1)
        Line Input #1, Written
        Parts = Split(Written, Chr(9))
        Cell = Sheet.getCellByPosition(CLng(Parts(1)), CLng(Parts(0)))
        If Parts(2) = "number" Then
            Cell.setValue(Val(Parts(3)))
        Else
            Cell.setString(Parts(3))
        End If
    Loop
    Close #1
    Dim Form(0) As New com.sun.star.beans.PropertyValue
    Form(0).Name = "FilterName"
    Form(0).Value = "Calc MS Excel 2007 XML"
    Document.storeToURL(ConvertToURL(Target), Form())
    Document.close(True)
End Sub
</script:module>
"""


def run(folder, *arguments):
    command = ["soffice", f"-env:UserInstallation=file://{folder}/libreoffice", "--headless", *arguments]
    subprocess.run(command, check=True, capture_output=True, timeout=50)


def fill_in(folder, source, values, target):
    """Has LibreOffice write texts and numbers into cells of the sheet Figures, by row and column from 1, and save the
    workbook under another name."""
    module = folder / "libreoffice/user/basic/Standard/Module1.xba"
    if not module.exists():
        run(folder, "--terminate_after_init")
        module.write_text(FILL_IN)
    kind = lambda value: "text" if isinstance(value, str) else "number"
    lines = [f"{row - 1}\t{column - 1}\t{kind(value)}\t{value}\n" for (row, column), value in values.items()]
    (folder / "values.txt").write_text("".join(lines))
    (folder / target).unlink(missing_ok=True)
    files = ",".join(f'"{folder / name}"' for name in (source, "values.txt", target))
    run(folder, f"macro:///Standard.Module1.FillIn({files})")
    assert (folder / target).exists(), "LibreOffice saved nothing"
