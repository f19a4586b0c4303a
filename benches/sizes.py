#!/usr/bin/env python3
"""What figures, submissions, reads and connections take of memory, disk and processor, measured on a real server: the table of
docs/sizing.md.

    benches/sizes.py BINARY [FIGURES]          three million, unless it is said; a tenth as many single submissions
    benches/sizes.py BINARY [FIGURES] --write  writes the table into the page

Memory is what the process has (VmRSS), disk what its folder takes (blocks), the processor's time that of the process; each less
what it was before. Needs Linux, for /proc, and Python alone.
"""

import atexit
import concurrent.futures
import csv
import http.client
import json
import os
import pathlib
import random
import re
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.parse

HERE = pathlib.Path(__file__).parent
PAGE = HERE.parent / "docs/sizing.md"
AGENCY = "large-agency"
THREADS = 8


class Server:
    def __init__(self, binary, data, *arguments):
        # As an operator's machine has it: no variable of this shell counts.
        env = {name: value for name, value in os.environ.items() if not name.startswith("CONSPECTUS_")}
        self.log, self.output = data.with_suffix(".log"), data.with_suffix(".out")
        start = time.monotonic()
        command = [binary, "serve", "--data", data, "--listen", "127.0.0.1:0", *arguments]
        with self.output.open("w") as output, self.log.open("w") as log:
            self.process = subprocess.Popen(command, stdout=output, stderr=log, env=env | {"CONSPECTUS_LOG": "info"})
        atexit.register(self.process.kill)
        while not (found := re.search(r"address=(\S+)", self.log.read_text())):
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.01)
        self.address = found[1]
        health = [binary, "health", "--server", f"http://{self.address}"]
        if "--tls-cert" in arguments:
            health = [*health[:-1], f"https://{self.address}", "--ca", arguments[1].with_name("ca.pem")]
        while subprocess.run(health, capture_output=True).returncode:
            time.sleep(0.02)
        self.seconds = time.monotonic() - start

    def memory(self, what="VmRSS"):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{what}:\s+(\d+) kB", status)[1]) * 1024

    def cpu(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def call_all(self, method, messages, headers=None):
        """Makes calls by JSON, some at once, and gives the bytes of an answer."""
        headers = {"Content-Type": "application/json", **(headers or {})}

        def some(first):
            connection = http.client.HTTPConnection(self.address)
            for message in messages[first::THREADS]:
                connection.request("POST", f"/conspectus.v1.{method}", json.dumps(message), headers)
                answer = connection.getresponse()
                text = answer.read()
                assert answer.status == 200, text
            connection.close()
            return len(text)

        with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
            return max(pool.map(some, range(THREADS)))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait() == 0, self.log.read_text()


def disk(path):
    files = [path] if path.is_file() else [path, *path.rglob("*")]
    return sum(file.lstat().st_blocks * 512 for file in files)


def run(*command):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout


def timed(*command):
    """How many seconds a command takes, and the most memory that it has."""
    start = time.monotonic()
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, command
    return time.monotonic() - start, usage.ru_maxrss * 1024


def scatter(made, scattered):
    """Gives a large return (large/make.py) values as uneven as real ones: its own, which follow a rule, compress ten times as well."""
    chance = random.Random(1)
    with made.open() as rows, scattered.open("w") as file:
        rows, file = csv.reader(rows), csv.writer(file, lineterminator="\n")
        file.writerow(next(rows))
        for *keys, value, _, _ in rows:
            measure = [chance.randrange(5_000), "", ""] if value else ["", chance.randrange(400), 400 + chance.randrange(500)]
            file.writerow([*keys, *measure])


class Sizes:
    def __init__(self, binary, folder, figures):
        self.binary, self.folder, self.figures, self.rows = binary, folder, figures, []
        self.data = folder / "data"

    def add(self, what, value):
        self.rows.append((what, value))
        print(f"| {what} | {value} |", flush=True)

    def start(self, *arguments):
        return Server(self.binary, self.data, *arguments)

    def measure(self):
        run(sys.executable, HERE / "large/make.py", self.folder, self.figures)
        scatter(self.folder / "figures.csv", self.folder / "scattered.csv")
        server = self.with_catalogue("files")
        empty = server.memory()
        self.add("memory of a server without figures", f"{empty / 2**20:.0f} MiB")
        self.files(server, empty)
        self.singles(self.with_catalogue("singles"))
        self.connections()
        self.reads()

    def with_catalogue(self, name):
        """A server on a new folder, which was started with a catalogue."""
        self.data = self.folder / name
        server = self.start()
        run(self.binary, "catalogue", "put", self.folder / "catalogue.toml", "--server", f"http://{server.address}")
        server.stop()
        return self.start()

    def sent(self, server, send, what, count, processor_digits, of, seconds_before=0):
        """Adds what is taken by what is sent, of which there are so many; the server after its next start."""
        before, disk_before, cpu_before = server.memory(), disk(self.data), server.cpu()
        send()
        received, cpu = server.memory(), server.cpu() - cpu_before
        server.stop()
        on_disk = disk(self.data) - disk_before
        server = self.start()
        self.add(f"{what}: memory, once received", f"{(received - before) / count:.0f} bytes")
        self.add("memory, after the next start", f"{(server.memory() - before) / count:.0f} bytes")
        self.add("disk, which grows by 8 MiB", f"{on_disk / count:.1f} bytes")
        self.add("processor", f"{cpu / count * 1e6:.{processor_digits}f} µs")
        self.add(f"start to serving, of a million {of}", f"{(server.seconds - seconds_before) * 1e6 / count:.1f} s")
        return server

    def files(self, server, empty):
        count, file = self.figures, self.folder / "scattered.csv"
        send = lambda: run(self.binary, "submit", file, "--agency", AGENCY, "--server", f"http://{server.address}")
        server = self.sent(server, send, "a figure of a large submission", count, 1, "figures")
        server.stop()
        full = self.folder / "full.backup"
        seconds, _ = timed(self.binary, "backup", full, "--data", self.data)
        self.add("a figure in a backup", f"{disk(full) / count:.0f} bytes")
        self.add("a backup of a million figures", f"{seconds * 1e6 / count:.1f} s")
        seconds, peak = timed(self.binary, "verify", "--restore", "--data", self.data, "--scratch", self.folder, full)
        self.add("restored and compared (`verify --restore`), of a million", f"{seconds * 1e6 / count:.1f} s")
        self.add("its memory, of a figure", f"{(peak - empty) / count:.0f} bytes")

    def singles(self, server):
        count = self.figures // 10
        months = [f"{year}-{month:02}" for year in (2023, 2024, 2025) for month in range(1, 13)]
        chance = random.Random(2)
        observations = (
            {"indicator": f"count-{indicator}", "area": f"E{10_000_000 + area}", "period": month, "number": str(chance.randrange(5_000))}
            for indicator in range(250) if indicator % 4 != 3
            for month in months for area in range(170)
        )
        messages = [
            {"agency": AGENCY, "requestId": f"{number:036x}", "source": "the daily feed", "observations": [observation]}
            for number, observation in zip(range(count), observations)
        ]
        send = lambda: server.call_all("SubmissionService/SubmitObservations", messages)
        server = self.sent(server, send, "a submission of one figure, by JSON", count, 0, "of them", server.seconds)
        server.stop()
        backup = self.folder / "singles.backup"
        run(self.binary, "backup", backup, "--data", self.data)
        self.add("a submission in a backup", f"{disk(backup) / count:.0f} bytes")

    def connections(self):
        certificates = self.folder / "certificates"
        for of in ["authority", "server"]:
            run(self.binary, "cert", "--folder", certificates, of)
        count = 1_000
        question = urllib.parse.urlencode({"encoding": "json", "message": json.dumps({"id": AGENCY})})
        server = self.start("--tls-cert", certificates / "server.pem", "--tls-key", certificates / "server-key.pem")
        before = server.memory()
        trusted = ssl.create_default_context(cafile=certificates / "ca.pem")
        connections = [http.client.HTTPSConnection(server.address, context=trusted) for _ in range(count)]
        for connection in connections:
            connection.request("GET", f"/conspectus.v1.CatalogueService/GetAgency?{question}")
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status == 200, text
        self.add("a connection over TLS that is open and idle", f"{(server.memory() - before) / count / 1024:.0f} KiB")
        for connection in connections:
            connection.close()
        server.stop()

    def reads(self):
        self.data = self.folder / "demo"
        server, count = self.start("--demo"), self.figures // 500
        while "\nServing on" not in server.output.read_text():
            time.sleep(0.1)
        key = re.search(r"^export CONSPECTUS_KEY_ANALYST=(\S+)", server.output.read_text(), re.MULTILINE)[1]
        headers = {"Authorization": f"Bearer {key}", "conspectus-purpose": "the annual safeguarding report"}
        for what, method, question in [
            ("a picture", "GetPicture", {"area": "E10000014", "period": "2021-22"}),
            ("one indicator", "QueryAggregate", {"indicators": ["initial-contacts"], "areas": ["E10000014"], "periods": ["2021-22"]}),
        ]:
            before, cpu_before = self.audit_bytes(), server.cpu()
            server.call_all(f"PictureService/{method}", [question] * count, headers)
            self.add(f"an audited read of {what}: audit log", f"{(self.audit_bytes() - before) / count:.0f} bytes")
            self.add("processor", f"{(server.cpu() - cpu_before) / count * 1e6:.0f} µs")
        server.stop()
        backup = self.folder / "reads.backup"
        run(self.binary, "backup", backup, "--data", self.data)
        self.add("a line of the audit log in a backup", f"{disk(backup) / (2 * count):.0f} bytes")

    def audit_bytes(self):
        return sum(path.stat().st_size for path in self.data.glob("audit*.log"))


def table(sizes):
    version = run(sizes.binary, "--version").strip()
    processor = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    where = f"{version}, {sizes.figures:,} figures; {processor[1] if processor else 'unknown'}, {os.cpu_count()} cores."
    rows = "".join(f"| {what} | {value} |\n" for what, value in sizes.rows)
    return f"{where}\n\n| what | takes |\n|---|---|\n{rows}"


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--write"]
    binary, figures = pathlib.Path(arguments[0]).resolve(), int(arguments[1]) if len(arguments) > 1 else 3_000_000
    with tempfile.TemporaryDirectory(dir=pathlib.Path(arguments[0]).resolve().parent) as folder:
        sizes = Sizes(binary, pathlib.Path(folder), figures)
        sizes.measure()
    if "--write" in sys.argv:
        begin, end = "<!-- sizes: written by benches/sizes.py -->\n", "<!-- sizes: end -->"
        head, _, rest = PAGE.read_text().partition(begin)
        PAGE.write_text(f"{head}{begin}\n{table(sizes)}\n{end}{rest.partition(end)[2]}")


main()
