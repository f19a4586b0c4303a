"""A partner's script with requests: JSON over HTTP/1.1, no protos.

Usage: over_json.py HOST:PORT, of a server with the demo, its keys in the environment.
"""

import os
import sys
import uuid

import requests

AREA = "E06000044"
AGENCY = "portsmouth-childrens-services"
INDICATOR = "missing-episodes"
SECONDS = 10


def same(what, found, wanted):
    if found != wanted:
        sys.exit(f"{what}: found {found!r}, wanted {wanted!r}")


def session(key=None, **headers):
    """Calls with a key, and perhaps a purpose."""
    made = requests.Session()
    # No proxy of the environment, and no password of a file.
    made.trust_env = False
    if key:
        made.headers["authorization"] = f"Bearer {key}"
    made.headers.update(headers)
    return made


def key_of(name):
    return os.environ["CONSPECTUS_KEY_" + name.upper().replace("-", "_")]


class Service:
    def __init__(self, address, caller):
        self.address, self.caller = address, caller

    def call(self, method, request, **headers):
        url = f"http://{self.address}/conspectus.v1.{method}"
        return self.caller.post(url, json=request, headers=headers, timeout=SECONDS)


class LosesTheFirstAnswer(requests.adapters.HTTPAdapter):
    """As when a connection breaks after the server has stored what was sent."""

    lost = 0

    def send(self, *args, **kwargs):
        answer = super().send(*args, **kwargs)
        if not self.lost:
            self.lost += 1
            raise requests.ConnectionError("lost")
        return answer


def error(what, answer, status, code, reason):
    """The details of an error by their type, each as JSON."""
    body = answer.json()
    details = {detail["type"]: detail["debug"] for detail in body.get("details", [])}
    found = (answer.status_code, body["code"], details.get("google.rpc.ErrorInfo", {}).get("reason"))
    same(what, found, (status, code, reason))
    return details


def submission(request_id, *observations):
    rows = [{"indicator": INDICATOR, "area": AREA, **observation} for observation in observations]
    return {"agency": AGENCY, "requestId": request_id, "observations": rows}


def submit(address):
    """Its first answer is lost; it asks again under the same id, and has its receipt."""
    caller = session(key_of(AGENCY))
    caller.mount("http://", LosesTheFirstAnswer())
    service = Service(address, caller)
    request = submission(str(uuid.uuid4()), {"period": "2023-05", "number": "71"}, {"period": "2023-06", "markers": ["MARKER_NOT_AVAILABLE"]})
    method = "SubmissionService/SubmitObservations"
    try:
        service.call(method, request)
        sys.exit("the answer isn't lost")
    except requests.ConnectionError:
        answer = service.call(method, request)
    same("the status", answer.status_code, 200)
    taken = answer.json()
    same("it was there already", taken.get("alreadyReceived"), True)
    same("what it did", taken["receipt"]["newCount"], 2)

    bad = submission("over-json-bad", {"period": "2022", "number": "1"}, {"period": "2022-06", "number": "-1"})
    details = error("violations", service.call(method, bad), 400, "invalid_argument", "INVALID_REQUEST")
    fields = sorted(violation["field"] for violation in details["google.rpc.BadRequest"]["fieldViolations"])
    same("the fields reported", fields, ["observations[0].period", "observations[1].number"])

    misspelt = service.call(method, {**request, "requestID": "x"})
    same("an unknown field", (misspelt.status_code, misspelt.json()["code"]), (400, "invalid_argument"))
    reused = service.call(method, submission(request["requestId"], {"period": "2023-05", "number": "72"}))
    error("an id of other content", reused, 409, "already_exists", "REQUEST_ID_REUSED")


def read(address):
    service = Service(address, session(key_of("analyst"), **{"conspectus-purpose": "a test"}))
    method = "PictureService/GetPicture"
    question = {"area": "E10000014", "period": "2021/22", "indicators": ["initial-contacts"]}
    picture = service.call(method, question).json()
    row = picture["rows"][0]
    same("published", (row["combined"]["value"], row["change"]["percent"]), ("153033", "21.3"))

    late = service.call(method, question, **{"Connect-Timeout-Ms": "0"})
    same("a deadline that is over", (late.status_code, late.json()["code"]), (504, "deadline_exceeded"))
    nobody = Service(address, session()).call(method, question)
    error("nobody", nobody, 401, "unauthenticated", "UNAUTHENTICATED")
    same("how to sign in", nobody.headers["www-authenticate"].split()[0], "Bearer")


def main(address):
    submit(address)
    read(address)


main(sys.argv[1])
