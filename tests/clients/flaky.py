"""A server that is busy at first: it refuses a submission three times, and then takes it.

Usage: flaky.py; prints its port, and, once it has taken a submission, how it was asked. The first refusals name a delay, the
third doesn't.
"""

import sys
import time
from concurrent import futures

import grpc
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from client import generated

with generated():
    from conspectus.v1 import submission_service_pb2 as submission
    from conspectus.v1 import submission_service_pb2_grpc as services

DELAY_SECONDS = 0.3


class Busy(services.SubmissionServiceServicer):
    def __init__(self):
        self.calls = []

    def SubmitObservations(self, request, context):
        self.calls.append((time.monotonic(), request.request_id, context.time_remaining() is not None))
        if len(self.calls) <= 2:
            delay = error_details_pb2.RetryInfo()
            delay.retry_delay.FromMilliseconds(int(DELAY_SECONDS * 1000))
            packed = any_pb2.Any()
            packed.Pack(delay)
            status = status_pb2.Status(code=code_pb2.RESOURCE_EXHAUSTED, message="busy", details=[packed])
            context.abort_with_status(rpc_status.to_status(status))
        if len(self.calls) == 3:
            context.abort(grpc.StatusCode.UNAVAILABLE, "starting")
        receipt = submission.Receipt(revision=7, new_count=len(request.observations), chain_hash=bytes(32))
        return submission.SubmitObservationsResponse(revision=7, receipt=receipt)


def main():
    server, busy = grpc.server(futures.ThreadPoolExecutor(max_workers=1)), Busy()
    services.add_SubmissionServiceServicer_to_server(busy, server)
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    deadline = time.monotonic() + 30
    while len(busy.calls) < 4 and time.monotonic() < deadline:
        time.sleep(0.05)
    server.stop(1).wait()
    times = [at for at, _, _ in busy.calls]
    waits = [later - earlier for earlier, later in zip(times, times[1:])]
    is_right = (
        len(busy.calls) == 4
        and len({request_id for _, request_id, _ in busy.calls}) == 1
        and all(has_deadline for _, _, has_deadline in busy.calls)
        and all(DELAY_SECONDS <= wait < 1 for wait in waits[:2])
        and waits[2] >= 1
    )
    if not is_right:
        sys.exit(f"asked wrongly: {busy.calls}")
    print("asked as it should be")


main()
