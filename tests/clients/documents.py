"""Runs the commands of a document that are followed by their output, and compares it.

Usage: documents.py ADDRESS DOCUMENT...; the keys are those of the demo, in the environment. `[..]` in a document stands for
anything. Each command is one block of `sh`, and its output the block of another kind that follows.
"""

import re
import subprocess
import sys

DOCUMENTED = "127.0.0.1:50051"


def blocks(text):
    """The kind and the content of each block of code."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def check(address, document):
    with open(document, encoding="utf-8") as file:
        found = blocks(file.read())
    checked = 0
    for (kind, command), (output_kind, expected) in zip(found, found[1:]):
        if kind != "sh" or output_kind == "sh":
            continue
        command = command.replace(DOCUMENTED, address)
        printed = subprocess.run(["bash", "-euc", command], capture_output=True, text=True, timeout=30)
        pattern = ".*?".join(re.escape(part) for part in expected.strip().split("[..]"))
        if not re.fullmatch(pattern, printed.stdout.strip(), re.DOTALL):
            sys.exit(f"{document}: {command}\nprinted\n{printed.stdout}{printed.stderr}\nand not\n{expected}")
        checked += 1
    if not checked:
        sys.exit(f"{document} has no command with its output")
    print(f"{document}: {checked} commands print what it says")


for document in sys.argv[2:]:
    check(sys.argv[1], document)
