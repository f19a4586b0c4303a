"""Submits the figures of a CSV file, and may be run again and again.

Usage: submit.py FILE --agency ID --server HOST:PORT [--ca FILE] [--attempts N]; the key is taken from CONSPECTUS_KEY. The file's columns are
indicator, area, period, value, and where they are needed numerator, denominator, markers (separated by spaces) and note.

Ends with 0 when the figures are stored or were before, 3 when they are refused, 4 when the key may not submit them, 5 when
no server answers, 6 when it is busy, and 1 on anything else.
"""

import argparse
import csv
import hashlib
import io
import os
import pathlib
import sys
import time

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from conspectus.v1 import figures_pb2 as figures
from conspectus.v1 import submission_service_pb2 as submission
from conspectus.v1.submission_service_pb2_grpc import SubmissionServiceStub

DEADLINE_SECONDS = 30
ATTEMPTS_DEFAULT = 6
FIRST_DELAY_SECONDS = 1.0
DELAY_SECONDS_MAX = 60.0

# These two may pass: the server starts or stops, or has too much to do. Whatever else is refused is refused again.
RETRIED = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
EXIT_STATUS = {
    grpc.StatusCode.INVALID_ARGUMENT: 3,
    grpc.StatusCode.ALREADY_EXISTS: 3,
    grpc.StatusCode.UNAUTHENTICATED: 4,
    grpc.StatusCode.PERMISSION_DENIED: 4,
    grpc.StatusCode.UNAVAILABLE: 5,
    grpc.StatusCode.DEADLINE_EXCEEDED: 5,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 6,
}
MARKERS = {
    "c": figures.MARKER_CONFIDENTIAL,
    "x": figures.MARKER_NOT_AVAILABLE,
    "z": figures.MARKER_NOT_APPLICABLE,
    "low": figures.MARKER_LOW,
    "u": figures.MARKER_UNRELIABLE,
    "e": figures.MARKER_ESTIMATED,
    "p": figures.MARKER_PROVISIONAL,
    "r": figures.MARKER_REVISED,
    "b": figures.MARKER_BREAK,
}


def observation(row):
    """A row of the file as a figure. Numbers stay the text that they are: the service reads them exactly."""
    found = figures.Observation(
        indicator=row["indicator"],
        area=row["area"],
        period=row["period"],
        markers=[MARKERS.get(text, figures.MARKER_UNSPECIFIED) for text in (row.get("markers") or "").split()],
        note=row.get("note") or "",
    )
    if row.get("denominator"):
        found.ratio.numerator = row["numerator"]
        found.ratio.denominator = row["denominator"]
    elif row.get("value"):
        found.number = row["value"]
    return found


def request(content, agency):
    """The request of a file. Its id is of what it says, so that the same file is stored once, however often it is sent."""
    rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    return submission.SubmitObservationsRequest(
        agency=agency,
        request_id=hashlib.sha256(agency.encode() + b"\n" + content).hexdigest()[:32],
        observations=[observation(row) for row in rows],
    )


def details(error, kind):
    """The error's detail of a kind; none when the server sent none, or wasn't reached."""
    status = rpc_status.from_call(error)
    for detail in status.details if status else ():
        if detail.Is(kind.DESCRIPTOR):
            found = kind()
            detail.Unpack(found)
            return found
    return None


def submit(stub, message, key, attempts):
    """The answer, after as many attempts as it takes."""
    delay = FIRST_DELAY_SECONDS
    for attempt in range(1, attempts + 1):
        try:
            metadata = [("authorization", f"Bearer {key}")] if key else []
            return stub.SubmitObservations(message, timeout=DEADLINE_SECONDS, metadata=metadata)
        except grpc.RpcError as error:
            if error.code() not in RETRIED or attempt == attempts:
                raise
            named = details(error, error_details_pb2.RetryInfo)
            seconds = named.retry_delay.ToMilliseconds() / 1000 if named else delay
            print(f"{error.code().name}: {error.details()}; again in {seconds} s", file=sys.stderr)
            time.sleep(min(seconds, DELAY_SECONDS_MAX))
            delay = min(2 * delay, DELAY_SECONDS_MAX)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("file", type=pathlib.Path)
    arguments.add_argument("--agency", required=True)
    arguments.add_argument("--server", required=True)
    arguments.add_argument("--ca", type=pathlib.Path)
    arguments.add_argument("--attempts", type=int, default=ATTEMPTS_DEFAULT)
    given = arguments.parse_args()
    message = request(given.file.read_bytes(), given.agency)
    if given.ca:
        channel = grpc.secure_channel(given.server, grpc.ssl_channel_credentials(given.ca.read_bytes()))
    else:
        channel = grpc.insecure_channel(given.server)
    with channel:
        try:
            key = os.environ.get("CONSPECTUS_KEY", "")
            answer = submit(SubmissionServiceStub(channel), message, key, given.attempts)
        except grpc.RpcError as error:
            print(f"{error.code().name}: {error.details()}", file=sys.stderr)
            wrong = details(error, error_details_pb2.BadRequest)
            for violation in wrong.field_violations if wrong else ():
                print(f"  {in_the_file(violation.field)}: {violation.description}", file=sys.stderr)
            sys.exit(EXIT_STATUS.get(error.code(), 1))
    receipt = answer.receipt
    what = "already received" if answer.already_received else "received"
    print(
        f"{what} at revision {receipt.revision}: {receipt.new_count} new, {receipt.revised_count} revised, "
        f"{receipt.unchanged_count} unchanged; receipt {receipt.chain_hash.hex()}"
    )


def in_the_file(field):
    """The row of the file that a field is of, counted with the header."""
    if not field.startswith("observations["):
        return field
    index, rest = field.removeprefix("observations[").split("]", 1)
    return f"row {int(index) + 2}{rest.replace('.', ', ', 1)}"


if __name__ == "__main__":
    main()
