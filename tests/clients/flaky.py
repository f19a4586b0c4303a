"""A server that is busy at first: it refuses a submission three times, and then takes it.

Usage: flaky.py grpc|json; prints its port, and, once it has taken a submission, how it was asked. The first refusals name a
delay, the third doesn't.
"""

import http.server
import json
import sys
import threading
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

REFUSALS = 3
# HTTP's Retry-After has whole seconds.
DELAY_SECONDS = {"grpc": 0.3, "json": 1}
# Clients wait a second before they ask again, then two, then four.
OWN_DELAY_SECONDS = 4


class OverGrpc(services.SubmissionServiceServicer):
    def __init__(self, calls):
        self.calls = calls
        self.server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
        services.add_SubmissionServiceServicer_to_server(self, self.server)

    def start(self):
        port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()
        return port

    def stop(self):
        self.server.stop(1).wait()

    def SubmitObservations(self, request, context):
        self.calls.append((time.monotonic(), request.request_id, context.time_remaining() is not None))
        if len(self.calls) < REFUSALS:
            delay = error_details_pb2.RetryInfo()
            delay.retry_delay.FromMilliseconds(int(DELAY_SECONDS["grpc"] * 1000))
            packed = any_pb2.Any()
            packed.Pack(delay)
            status = status_pb2.Status(code=code_pb2.RESOURCE_EXHAUSTED, message="busy", details=[packed])
            context.abort_with_status(rpc_status.to_status(status))
        if len(self.calls) == REFUSALS:
            context.abort(grpc.StatusCode.UNAVAILABLE, "starting")
        receipt = submission.Receipt(revision=7, new_count=len(request.observations), chain_hash=bytes(32))
        return submission.SubmitObservationsResponse(revision=7, receipt=receipt)


class OverJson:
    """By the Connect protocol."""

    def __init__(self, calls):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                request = json.loads(self.rfile.read(int(self.headers["content-length"])))
                has_deadline = self.headers["connect-timeout-ms"] is not None
                calls.append((time.monotonic(), request["requestId"], has_deadline))
                if len(calls) < REFUSALS:
                    self.answer(429, {"code": "resource_exhausted", "message": "busy"}, DELAY_SECONDS["json"])
                elif len(calls) == REFUSALS:
                    self.answer(503, {"code": "unavailable", "message": "starting"})
                else:
                    hash = "A" * 43 + "="
                    receipt = {"revision": "7", "newCount": len(request["observations"]), "chainHash": hash}
                    self.answer(200, {"revision": "7", "receipt": receipt})

            def answer(self, status, body, retry_after=None):
                self.send_response(status)
                self.send_header("content-type", "application/json")
                if retry_after:
                    self.send_header("retry-after", str(retry_after))
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def start(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self.server.server_port

    def stop(self):
        time.sleep(1)
        self.server.shutdown()


def main(lane):
    calls = []
    server = {"grpc": OverGrpc, "json": OverJson}[lane](calls)
    print(server.start(), flush=True)
    deadline = time.monotonic() + 30
    while len(calls) <= REFUSALS and time.monotonic() < deadline:
        time.sleep(0.05)
    server.stop()
    times = [at for at, _, _ in calls]
    waits = [later - earlier for earlier, later in zip(times, times[1:])]
    is_right = (
        len(calls) == REFUSALS + 1
        and len({request_id for _, request_id, _ in calls}) == 1
        and all(has_deadline for _, _, has_deadline in calls)
        and all(DELAY_SECONDS[lane] <= wait < DELAY_SECONDS[lane] + 0.7 for wait in waits[:2])
        and waits[2] >= OWN_DELAY_SECONDS
    )
    if not is_right:
        sys.exit(f"asked wrongly: {calls}")
    print("asked as it should be")


main(sys.argv[1])
