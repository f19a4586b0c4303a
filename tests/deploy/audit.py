"""Of an audit log: `read ADDRESS COUNT` fills it, with reads by the analyst, and `tamper FOLDER` shows that deploy/audit/verify.py
finds whatever is done to a copy of its files."""

import concurrent.futures
import http.client
import json
import os
import pathlib
import random
import shutil
import sys
import tempfile

sys.path.insert(0, "deploy/audit")
import verify

# In a line's whole question, for long lines.
PERIODS = [f"{year}-{month:02}" for year in range(2000, 2018) for month in range(1, 13)]


def read(address, count):
    question = {"indicators": ["initial-contacts"], "areas": ["E10000014"], "periods": PERIODS, "groupBy": ["GROUP_BY_PERIOD"]}
    headers = {"Authorization": f"Bearer {os.environ['CONSPECTUS_KEY']}", "Content-Type": "application/json"}

    def ask(number):
        connection = http.client.HTTPConnection(address)
        connection.request(
            "POST",
            "/conspectus.v1.PictureService/QueryAggregate",
            json.dumps(question),
            headers | {"conspectus-purpose": f"filling the log, {number}"},
        )
        answer = connection.getresponse()
        if answer.status != 200:
            sys.exit(f"read {number} of the log's lines: {answer.status} {answer.read().decode()}")

    with concurrent.futures.ThreadPoolExecutor(8) as readers:
        list(readers.map(ask, range(count)))


def finds(folder):
    log = verify.Log(verify.START)
    try:
        verify.verify_folder(folder, log)
        log.finish()
    except verify.Damaged:
        return True
    return False


def tamper(folder):
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    files = sorted(folder.glob("audit*.log"))
    unnoticed = []
    with tempfile.TemporaryDirectory() as copy:
        copy = pathlib.Path(copy)

        def fresh():
            for path in copy.iterdir():
                path.unlink()
            for path in files:
                shutil.copyfile(path, copy / path.name)

        def check(what):
            if not finds(copy):
                unnoticed.append(what)

        fresh()
        if finds(copy):
            sys.exit("the log isn't what was written before anything is done to it")
        for path in files:
            text = path.read_bytes()
            lines = text.splitlines(keepends=True)
            damaged = copy / path.name
            for at in [0, len(text) - 1, *chance.sample(range(len(text)), 60)]:
                damaged.write_bytes(text[:at] + bytes([text[at] ^ chance.randrange(1, 256)]) + text[at + 1 :])
                check(f"byte {at} of {path.name}")
            cut = chance.randrange(1, len(lines) - 1)
            damaged.write_bytes(b"".join(lines[:cut] + lines[cut + 1 :]))
            check(f"line {cut} of {path.name} left out")
            damaged.write_bytes(b"".join(lines[:cut] + [lines[cut + 1], lines[cut]] + lines[cut + 2 :]))
            check(f"lines {cut} and {cut + 1} of {path.name} the other way round")
            damaged.write_bytes(text[:-10])
            check(f"the end of {path.name} cut off")
            damaged.unlink()
            check(f"{path.name} not there")
            fresh()
        if len(files) > 1:
            (copy / files[0].name).write_bytes(files[1].read_bytes())
            (copy / files[1].name).write_bytes(files[0].read_bytes())
            check("two files changed over")
    if unnoticed:
        sys.exit(f"seed {seed}: verify.py doesn't find {unnoticed}")
    print(f"verify.py finds whatever is done to each of {len(files)} files of an audit log")


if sys.argv[1] == "read":
    read(sys.argv[2], int(sys.argv[3]))
else:
    tamper(pathlib.Path(sys.argv[2]))
