#!/usr/bin/env python3
"""Checks that an audit log of conspectus is what was written, by a program that shares nothing with the one that wrote it.

    verify.py FOLDER                    the files of a data folder, or a copy of them, as one log
    verify.py -                         lines of standard input, as `conspectus audit --follow --json` prints them
    verify.py --after 1200:CHAIN -      the same, which must go on after what was checked before

A stream may have lines more than once, as one does that was sent again: each must be the same as before. At the end it prints how
many lines there were, and the last one's number and chain, which `--after` takes next time. It exits with 1 at the first line that
isn't what was written, and where lines are missing of which the log doesn't say why.

Needs the package blake3 of PyPI: Python's own library has no BLAKE3. The format is that of docs/audit.md.
"""

import argparse
import json
import pathlib
import re
import sys

import blake3

CONTEXT = "conspectus audit line v1"
LINE = re.compile(rb'(\{.*),"chain":"([0-9a-f]{64})"\}', re.DOTALL)
CLOSED = re.compile(r"audit-(\d{12})-(\d{12})\.log")
START = (0, bytes(32))


class Damaged(Exception):
    """A log isn't what was written, and where."""


class Log:
    """The lines that were checked so far, after a line's number and chain."""

    def __init__(self, after):
        self.after, self.n, self.count = after, after[0], 0
        # The chain of each line, 32 bytes, in runs without a gap; before each of them, the number of its first.
        self.runs = [(after[0], bytearray(after[1]))]
        # What the log says of lines that aren't there.
        self.taken = []
        # The last of the lines before the oldest, until a line says that they were deleted.
        self.unexplained = None

    def chain(self, n):
        for first, chains in reversed(self.runs):
            if first <= n < first + len(chains) // 32:
                return bytes(chains[32 * (n - first) : 32 * (n - first + 1)])
        return None

    def add(self, n, line, hashed, chain):
        """Checks that a line, as it was parsed, is the next one."""
        if line["event"] in ("continued", "lost") and (self.count == 0 and self.after == START or n > self.n + 1):
            self.go_on(n, line)
        if n != self.n + 1:
            raise Damaged(f"line {self.n + 1} is missing, or out of order: line {n} is in its place")
        if hash_of(self.chain(self.n), hashed) != chain:
            raise Damaged(f"line {n} isn't what was written, or isn't what follows line {n - 1}")
        self.n, self.count = n, self.count + 1
        self.runs[-1][1].extend(chain)
        if line["event"] == "pruned" and self.unexplained:
            last = int(re.match(r"lines \d+ to (\d+),", line["scope"])[1])
            # A crash while files are deleted leaves the newest of them.
            if self.unexplained[0] < last or self.unexplained == (last, line["previous"]):
                self.taken.insert(0, f"Lines 1 to {self.unexplained[0]} aren't there, as line {n} says: {line['scope']}")
                self.unexplained = None

    def go_on(self, n, line):
        """A file's first line says where the one before ended, and what was done to that unless it was closed."""
        if line["event"] == "lost" or not CLOSED.fullmatch(line["scope"]):
            if n > self.n + 1:
                self.taken.append(f"Lines {self.n + 1} to {n - 1} aren't there, as line {n} says: {line['scope']}")
        elif self.count:
            return
        elif n > 1:
            self.unexplained = (n - 1, line["previous"])
        self.runs.append((n - 1, bytearray(line["previous"])))
        self.n = n - 1

    def finish(self):
        if self.unexplained:
            raise Damaged(f"lines 1 to {self.unexplained[0]} are missing, and no line says that they were deleted")


def parse(text, expected):
    """A line's number, what it says, what its chain is computed of, and its chain."""
    found = LINE.fullmatch(text)
    if not found:
        raise Damaged(f"line {expected}: it is cut off, or has no chain")
    try:
        line = {"event": "", "scope": "", "previous": "", **json.loads(found[1] + b"}")}
        line["scope"], line["previous"] = str(line["scope"]), bytes.fromhex(line["previous"])
        return int(line["n"]), line, found[1], bytes.fromhex(found[2].decode())
    except (ValueError, KeyError, TypeError) as error:
        raise Damaged(f"line {expected}: it can't be read") from error


def hash_of(before, text):
    return blake3.blake3(before + text, derive_key_context=CONTEXT).digest()


def lines_of(stream, log):
    for text in stream:
        if not text.endswith(b"\n"):
            raise Damaged(f"line {log.n + 1}: it is cut off")
        yield parse(text[:-1], log.n + 1)


def verify_stream(stream, log):
    for n, line, hashed, chain in lines_of(stream, log):
        if n > log.n:
            log.add(n, line, hashed, chain)
        elif n >= log.after[0] and (
            chain != log.chain(n) or (before := log.chain(n - 1)) and hash_of(before, hashed) != chain
        ):
            raise Damaged(f"line {n} is there again, and isn't the same")


def verify_folder(folder, log):
    closed = sorted(path for path in folder.iterdir() if CLOSED.fullmatch(path.name))
    newest = folder / "audit.log"
    is_closed = False
    for path in [*closed, *([newest] if newest.exists() else [])]:
        first, is_closed = None, False
        try:
            with path.open("rb") as stream:
                for n, line, hashed, chain in lines_of(stream, log):
                    log.add(n, line, hashed, chain)
                    first, is_closed = first or n, line["event"] == "closed"
        except Damaged as error:
            raise Damaged(f"{path}: {error}") from None
        if named := CLOSED.fullmatch(path.name):
            if not is_closed or (int(named[1]), int(named[2])) != (first, log.n):
                raise Damaged(f"{path}: its name isn't that of its lines, or it isn't closed")
    if is_closed or not newest.exists():
        raise Damaged(f"{newest}: there is no file that goes on after line {log.n}")


def end_of_log(text):
    n, chain = text.split(":")
    if not re.fullmatch("[0-9a-f]{64}", chain):
        raise ValueError("a chain has 64 digits")
    return int(n), bytes.fromhex(chain)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", metavar="FOLDER", help="the folder, or - for standard input")
    parser.add_argument("--after", metavar="LINE:CHAIN", type=end_of_log, default=START, help="what was checked before")
    arguments = parser.parse_args()
    if arguments.log != "-" and arguments.after != START:
        parser.error("--after is for lines; of a folder all is checked")
    log = Log(arguments.after)
    try:
        if arguments.log == "-":
            verify_stream(sys.stdin.buffer, log)
        else:
            verify_folder(pathlib.Path(arguments.log), log)
        log.finish()
    except Damaged as error:
        sys.exit(f"verify.py: {error}")
    for taken in log.taken:
        print(taken)
    print(f"{log.count} lines are what was written, up to {log.n}:{log.chain(log.n).hex()}")


if __name__ == "__main__":
    main()
