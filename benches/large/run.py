#!/usr/bin/env python3
"""Submits a large file, kills its sender and the server on the way, and compares what arrived with the file.

    benches/large/run.py BINARY FIGURES [csv|xlsx]

First the file is submitted in one go, to a server of its own: how long it takes, and how much memory the sender has at the
most. Then again to another, with the sender killed at five random points, and the server at one. At the end the server's
submissions, figures and sums are those of the file: nothing is lost, and nothing is there twice.
"""

import csv
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path

HERE = Path(__file__).parent
AGENCY = "large-agency"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class World:
    def __init__(self, binary, folder):
        self.binary, self.folder, self.port = binary, folder, free_port()
        self.server = None

    def start(self):
        address = f"127.0.0.1:{self.port}"
        command = [self.binary, "serve", "--data", self.folder / "data", "--listen", address]
        self.server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while subprocess.run(self.verb("health"), capture_output=True).returncode != 0:
            time.sleep(0.2)

    def stop(self, how):
        self.server.send_signal(how)
        self.server.wait()

    def verb(self, *arguments):
        verb, *rest = [str(argument) for argument in arguments]
        return [self.binary, *verb.split(), *rest, "--server", f"http://127.0.0.1:{self.port}"]

    def said(self, *arguments):
        return subprocess.run(self.verb(*arguments), check=True, capture_output=True, text=True).stdout

    def submit(self, file):
        return self.verb("submit", file, "--agency", AGENCY)

    def check(self, expected, figures):
        """The server has what the file has."""
        # Submissions may be more than are listed at once.
        listed = list(csv.DictReader(self.said("submission list", "--limit", "100000", "--csv").splitlines()))
        there = sum(int(row["figures"]) for row in listed)
        assert there == figures, f"{there} figures of {figures}"
        for indicator, (numbers, numerators, denominators) in expected.items():
            rows = self.said(
                "query", "--indicator", indicator, "--area", "ALL", "--from", "2013-01", "--to", "2022-12", "--csv"
            )
            row = next(csv.DictReader(rows.splitlines()))
            found = [row["numerator"], row["denominator"]] if denominators else [row["value"]]
            wanted = [numerators, denominators] if denominators else [numbers]
            assert [Decimal(text) for text in found] == wanted, (indicator, found, wanted)
        return len(listed)


def timed(command):
    """How many seconds it takes, the most memory that it has in MiB, and what it prints."""
    start = time.monotonic()
    done = subprocess.run(["/usr/bin/time", "-v", *command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    peak = int(re.search(r"Maximum resident set size \(kbytes\): (\d+)", done.stderr)[1]) / 1024
    return time.monotonic() - start, peak, done.stdout.strip()


def killed(world, file, lines):
    """Starts a sender, and kills it once so many parts were answered."""
    sender = subprocess.Popen([*world.submit(file), "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    for _ in zip(range(lines), sender.stdout):
        pass
    sender.kill()
    sender.wait()


def server_killed(world, file, lines):
    """Starts a sender, and kills the server once so many parts were answered: the sender goes on by itself."""
    sender = subprocess.Popen([*world.submit(file), "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    for _ in zip(range(lines), sender.stdout):
        pass
    world.stop(signal.SIGKILL)
    world.start()
    for _ in zip(range(lines), sender.stdout):
        pass
    sender.kill()
    sender.wait()


def main():
    binary, figures = Path(sys.argv[1]).resolve(), int(sys.argv[2])
    form = sys.argv[3] if len(sys.argv) > 3 else "csv"
    chance = random.Random(figures)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        subprocess.run([sys.executable, HERE / "make.py", folder, str(figures), form], check=True)
        file = folder / f"figures.{form}"
        with open(folder / "sums.csv") as sums:
            expected = {row[0]: [int(number) for number in row[1:]] for row in csv.reader(sums)}
        print(f"{figures:,} figures, {file.stat().st_size / 2**20:.0f} MiB of {form}", flush=True)
        for name in ["whole", "interrupted"]:
            (folder / name).mkdir()
            world = World(binary, folder / name)
            world.start()
            world.said("catalogue put", folder / "catalogue.toml")
            if name == "whole":
                seconds, peak, said = timed([*world.submit(file), "--dry-run"])
                print(f"dry run: {seconds:.1f} s, {figures / seconds:,.0f} figures a second, sender's peak {peak:.0f} MiB")
                seconds, peak, said = timed(world.submit(file))
                print(f"submit: {seconds:.1f} s, {figures / seconds:,.0f} figures a second, sender's peak {peak:.0f} MiB")
            else:
                parts = -(-figures // 10_000)
                for kill in range(5):
                    at = chance.randrange(1, max(2, parts * (kill + 1) // 6))
                    how = server_killed if kill == 2 else killed
                    how(world, file, at)
                    print(f"{how.__name__.replace('_', ' ')} after {at} answers", flush=True)
                seconds, peak, said = timed(world.submit(file))
                print(f"resumed: {seconds:.1f} s")
            print(said)
            print(f"compared: {world.check(expected, figures)} submissions, all figures and sums are the file's", flush=True)
            if name == "whole":
                seconds, peak, said = timed(world.submit(file))
                print(f"again: {seconds:.1f} s, {said.splitlines()[0]}")
            world.stop(signal.SIGTERM)


main()
