"""The recipes of docs/addresses.md, against a server: each must find the figures that the service answers with.

What can be run here is run as it stands in the document: the shell's, R's, pandas's and DuckDB's. For Power Query and
Grafana the address that their recipe fetches is put together from it and fetched, with what those programs would send, and
the columns that it names are read as they would be.

Usage: addresses.py HOST:PORT; the demo's server, its key in the environment; Rscript and curl.
"""

import base64
import csv
import datetime
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
import zipfile

import duckdb
import duckdb_extensions

SERVER = f"http://{sys.argv[1]}"
NAMED = "https://conspectus.example.gov.uk"
KEY = os.environ["CONSPECTUS_KEY"]
BEARER = {"Authorization": f"Bearer {KEY}", "conspectus-purpose": "A test of the recipes"}
BASIC = {"Authorization": "Basic " + base64.b64encode(f"whoever:{KEY}".encode()).decode()}
PAGE = (pathlib.Path(__file__).parents[2] / "docs/addresses.md").read_text()


def recipe(language):
    """The first block of a language, for this server."""
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found, f"the page has no recipe in {language}"
    assert NAMED in found[1], found[1]
    return found[1].replace(NAMED, SERVER)


def fetch(address, headers):
    with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=30) as answer:
        return answer.read()


def answered():
    """The figures by area, agency and month, as the service answers them over its JSON."""
    message = {
        "indicators": ["missing-episodes"],
        "areas": ["HIPS"],
        "areaLevel": "AREA_LEVEL_UPPER_TIER",
        "periodRange": {"first": "2021-04", "last": "2022-03"},
        "groupBy": ["GROUP_BY_AREA", "GROUP_BY_AGENCY", "GROUP_BY_PERIOD"],
        "pageSize": 10000,
    }
    request = urllib.request.Request(
        f"{SERVER}/conspectus.v1.PictureService/QueryAggregate",
        data=json.dumps(message).encode(),
        headers={**BEARER, "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        rows = json.load(answer)["rows"]
    return {(row["area"], row["agency"], row["period"]): row["figure"].get("value", "") for row in rows}


EXPECTED = answered()
NUMBERS = sorted(float(value) for value in EXPECTED.values() if value)
assert len(EXPECTED) > 50 and len(NUMBERS) > 20 and len(NUMBERS) < len(EXPECTED), (len(EXPECTED), len(NUMBERS))


def check_csv(text):
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    found = {(row["area"], row["agency"], row["period"]): row["value"] for row in rows}
    assert found == EXPECTED, (found, EXPECTED)
    return rows


def of_the_shell():
    command = recipe("sh")
    check_csv(subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True, timeout=30).stdout)


def of_power_query():
    text = recipe("powerquery")
    base = re.search(r'Web\.Contents\("([^"]+)"', text)[1]
    path = re.search(r'RelativePath = "([^"]+)"', text)[1]
    query = re.search(r"Query = \[(.*?)\]", text, re.DOTALL)[1]
    query = urllib.parse.urlencode(re.findall(r'(\w+) = "([^"]*)"', query))
    rows = check_csv(fetch(f"{base}/{path}?{query}", BASIC).decode())
    types = re.findall(r'\{"(\w+)", type (\w+)\}', text)
    assert len(types) == 3, types
    read = {"number": float, "date": datetime.date.fromisoformat}
    for row in rows:
        for column, kind in types:
            if row[column]:
                read[kind](row[column])
    assert len(text.strip().splitlines()) <= 12, "a recipe of some ten lines"


def of_the_workbook():
    """What "From Web" offers of a workbook: a table by its name."""
    address = re.search(rf'"({NAMED}/v1/figures\.csv[^"]*)"', PAGE)[1].replace(NAMED, SERVER)
    package = zipfile.ZipFile(io.BytesIO(fetch(address.replace(".csv", ".xlsx"), BASIC)))
    tables = [package.read(name).decode() for name in package.namelist() if name.startswith("xl/tables/")]
    assert any(' name="figures"' in table for table in tables), tables


def of_r():
    script = recipe("r") + """
        values <- sort(figures$value[!is.na(figures$value)])
        cat(nrow(figures), class(figures$period_end), format(values, digits = 15, trim = TRUE))
    """
    run = subprocess.run(["Rscript", "-e", script], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    rows, kind, *values = run.stdout.split()
    assert (int(rows), kind, [float(value) for value in values]) == (len(EXPECTED), "Date", NUMBERS), run.stdout


def of_pandas():
    names = {}
    exec(recipe("python"), names)
    figures = names["figures"]
    found = {
        (area, agency, period): "" if value != value else float(value)
        for area, agency, period, value in zip(figures.area, figures.agency, figures.period, figures.value)
    }
    assert found == {key: float(value) if value else "" for key, value in EXPECTED.items()}
    assert str(figures.dtypes["period_start"]).startswith("datetime64"), figures.dtypes


def of_duckdb():
    # The extension comes with a package, in the place of what INSTALL would fetch.
    folder = tempfile.TemporaryDirectory()
    connection = duckdb.connect(config={"extension_directory": folder.name})
    duckdb_extensions.import_extension("httpfs", con=connection)
    connection.execute(recipe("sql").replace("INSTALL httpfs;", "").replace("cps_…", KEY))
    found = connection.execute("SELECT area, agency, period, value FROM figures").fetchall()
    numbers = sorted(float(value) for *_, value in found if value is not None)
    assert (len(found), numbers) == (len(EXPECTED), NUMBERS), found


def of_grafana():
    source, query = recipe("yaml"), json.loads(recipe("json"))
    header = re.search(r"httpHeaderName1: (.*)", source)[1]
    headers = {"Authorization": f"Bearer {KEY}", header: re.search(r"httpHeaderValue1: (.*)", source)[1]}
    assert "auth_method: bearerToken" in source and query["url"].startswith(SERVER)
    rows = check_csv(fetch(query["url"], headers).decode())
    read = {"timestamp": datetime.date.fromisoformat, "string": str, "number": lambda text: float(text or "nan")}
    for column in query["columns"]:
        for row in rows:
            read[column["type"]](row[column["selector"]])


for check in [of_the_shell, of_power_query, of_the_workbook, of_r, of_pandas, of_duckdb, of_grafana]:
    check()
    print(f"  {check.__name__.replace('_', ' ')}: {len(EXPECTED)} figures")
