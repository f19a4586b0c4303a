"""Who may call what, over real mutual TLS, by a client that shares nothing with the server.

Usage: access.py HOST:PORT CERTIFICATES, a folder with ca.pem and each caller's certificate.
"""

import json
import pathlib
import sys

import grpc
from client import REPOSITORY
from google.protobuf import descriptor_pool, json_format, message_factory

SECONDS = 10
ROLES = ["submitter", "corrector", "reader", "analyst", "steward", "operator"]
# Callers that nobody knows: no certificate, a name that no identity has, one of an identity that is
# revoked. All of them get through TLS.
UNKNOWN = [None, "unknown", "gone"]
# Certificates that TLS doesn't let through: of another authority, and on the list of revoked ones.
FOREIGN = ["foreign", "revoked"]
REFUSED = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)


def channel(address, certificates, name):
    read = lambda file: (certificates / file).read_bytes()
    pair = (read(f"{name}-key.pem"), read(f"{name}.pem")) if name else (None, None)
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(read("ca.pem"), *pair))


def call(channel, method, request, metadata):
    """The status of a call, of whatever kind; of a stream, once its first message is there: a stream of
    submissions answers each for itself."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    answer = message_factory.GetMessageClass(method.output_type)
    kind = channel.unary_stream if method.server_streaming else channel.unary_unary
    if method.client_streaming:
        kind = channel.stream_stream
    stub = kind(path, request_serializer=lambda m: m.SerializeToString(), response_deserializer=answer.FromString)
    message = json_format.ParseDict(request, message_factory.GetMessageClass(method.input_type)())
    try:
        answer = stub(iter([message]) if method.client_streaming else message, timeout=SECONDS, metadata=metadata)
        if method.server_streaming:
            first = next(answer)
            answer.cancel()
            if method.client_streaming and first.HasField("refused"):
                return next(code for code in grpc.StatusCode if code.value[0] == first.refused.code)
        return grpc.StatusCode.OK
    except grpc.RpcError as error:
        return error.code()


def main(address, certificates):
    certificates = pathlib.Path(certificates)
    rows = json.loads((REPOSITORY / "tests" / "clients" / "matrix.json").read_text())
    pool = descriptor_pool.Default()
    services = [
        pool.FindServiceByName(f"conspectus.v1.{name}Service") for name in ["Audit", "Catalogue", "Key", "Picture", "Submission"]
    ]
    methods = {(service.name, method.name): method for service in services for method in service.methods}
    named = {(row["service"], row["method"]) for row in rows}
    if named != set(methods):
        sys.exit(f"methods without a row, or rows without a method: {named ^ set(methods)}")
    purpose = ("conspectus-purpose", "a test")
    malformed = ("authorization", "Bearer cps_")
    cells, wrong = 0, []

    def check(what, row, whose, found, wanted):
        nonlocal cells
        cells += 1
        if (found if found in REFUSED or wanted not in (None, *REFUSED) else None) != wanted:
            wrong.append(f"{row['method']} by {what} about {whose}: {found}, not {wanted}")

    for name in ROLES + UNKNOWN:
        with channel(address, certificates, name) as open_channel:
            for row in rows:
                method = methods[(row["service"], row["method"])]
                for whose in ("own", "other"):
                    allowed = name in row["allowed"] or (whose == "own" and f"{name}/own" in row["allowed"])
                    wanted = None if allowed else grpc.StatusCode.PERMISSION_DENIED
                    if name in UNKNOWN:
                        wanted = grpc.StatusCode.UNAUTHENTICATED
                    check(name, row, whose, call(open_channel, method, row[whose], [purpose]), wanted)
                    # A key that is no key is refused, whatever certificate comes with it.
                    found = call(open_channel, method, row[whose], [purpose, malformed])
                    check(f"{name} with a malformed key", row, whose, found, grpc.StatusCode.UNAUTHENTICATED)
    for name in FOREIGN:
        with channel(address, certificates, name) as open_channel:
            row = rows[0]
            found = call(open_channel, methods[(row["service"], row["method"])], row["own"], [purpose])
            check(name, row, "own", found, grpc.StatusCode.UNAVAILABLE)
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"{cells} cells, each as it should be")


main(*sys.argv[1:])
