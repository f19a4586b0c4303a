"""A partner's system in Python: stubs from the protos, nothing of ours.

Usage: client.py HOST:PORT. The server's data folder must be a fresh one: revisions and receipts
are checked.
"""

import contextlib
import importlib
import pathlib
import sys
import tempfile

import grpc
import grpc_tools
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from grpc_tools import protoc

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
SECONDS = 10
# What the second channel takes; error details travel in headers.
HEADER_BYTES = 1 << 20

AREA = "PY-COUNTY"
POLICE = "py-police"
HEALTH = "py-health"
VISITS = "py-visits"
TIMELY = "py-timely"


def generate(folder):
    """Makes the stubs as a partner would."""
    protos = REPOSITORY / "proto"
    well_known = pathlib.Path(grpc_tools.__file__).parent / "_proto"
    files = sorted(str(file) for file in (protos / "conspectus" / "v1").glob("*.proto"))
    failed = protoc.main(
        ["protoc", f"-I{protos}", f"-I{well_known}", f"--python_out={folder}", f"--grpc_python_out={folder}", *files]
    )
    if failed:
        sys.exit("the protos don't compile")


@contextlib.contextmanager
def generated():
    """The stubs, for as long as they are imported."""
    with tempfile.TemporaryDirectory() as stubs:
        generate(stubs)
        sys.path.insert(0, stubs)
        for service in ("audit", "catalogue", "key", "picture", "submission"):
            importlib.import_module(f"conspectus.v1.{service}_service_pb2")
        yield


with generated():
    from conspectus.v1 import catalogue_pb2 as catalogue
    from conspectus.v1 import catalogue_service_pb2 as puts
    from conspectus.v1 import figures_pb2 as figures
    from conspectus.v1 import picture_service_pb2 as picture
    from conspectus.v1 import submission_service_pb2 as submission
    from conspectus.v1.catalogue_service_pb2_grpc import CatalogueServiceStub
    from conspectus.v1.picture_service_pb2_grpc import PictureServiceStub
    from conspectus.v1.submission_service_pb2_grpc import SubmissionServiceStub


def same(what, found, wanted):
    if found != wanted:
        sys.exit(f"{what}: found {found!r}, wanted {wanted!r}")


def refused(what, code, reason, call):
    """The details of the error that the call must end with, by type."""
    try:
        call()
    except grpc.RpcError as error:
        same(f"{what}: code", error.code(), code)
        status = rpc_status.from_call(error)
        if status is None:
            sys.exit(f"{what}: no details came with {error}")
        found = {}
        for kind in (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest):
            for detail in status.details:
                if detail.Is(kind.DESCRIPTOR):
                    found[kind] = kind()
                    detail.Unpack(found[kind])
        info = found[error_details_pb2.ErrorInfo]
        same(f"{what}: reason", (info.domain, info.reason), ("conspectus", reason))
        return found
    sys.exit(f"{what}: it was taken")


def violations(details):
    return details[error_details_pb2.BadRequest].field_violations


def main(address):
    with grpc.insecure_channel(address) as channel:
        put_catalogue(CatalogueServiceStub(channel))
        submissions = SubmissionServiceStub(channel)
        revision = submit(submissions)
        send_bad_request(submissions)
        send_very_bad_request(submissions)
        pictures = PictureServiceStub(channel)
        read_picture(pictures, revision)
        read_aggregates(pictures, revision)
        stream(submissions)
    limits = [("grpc.max_metadata_size", HEADER_BYTES), ("grpc.absolute_max_metadata_size", HEADER_BYTES)]
    with grpc.insecure_channel(address, options=limits) as channel:
        read_all_violations(SubmissionServiceStub(channel))


def put_catalogue(stub):
    def indicator(id, kind, **more):
        return catalogue.Indicator(
            id=id,
            title=id,
            definition="Made up for this test.",
            kind=kind,
            frequency=catalogue.FREQUENCY_MONTH,
            due_days=30,
            reporting_level=catalogue.AREA_LEVEL_UPPER_TIER,
            across_agencies=catalogue.ACROSS_AGENCIES_ADD,
            expected_agencies=[catalogue.ExpectedAgency(agency=agency) for agency in (POLICE, HEALTH)],
            **more,
        )

    request = puts.PutCatalogueRequest(
        areas=[catalogue.Area(code=AREA, name="A county", level=catalogue.AREA_LEVEL_UPPER_TIER)],
        agencies=[
            catalogue.Agency(id=POLICE, name="Police", sector=catalogue.SECTOR_POLICE, areas=[AREA]),
            catalogue.Agency(id=HEALTH, name="Health", sector=catalogue.SECTOR_HEALTH, areas=[AREA]),
        ],
        indicators=[
            indicator(VISITS, catalogue.KIND_EVENTS, unit="visits"),
            indicator(TIMELY, catalogue.KIND_RATIO, unit="per cent", decimals=1),
        ],
    )
    first = stub.PutCatalogue(request, timeout=SECONDS)
    same("the put's indicators", list(first.indicators), [puts.PUT_OUTCOME_CREATED] * 2)
    second = stub.PutCatalogue(request, timeout=SECONDS)
    same("the second put's indicators", list(second.indicators), [puts.PUT_OUTCOME_UNCHANGED] * 2)
    same("the second put's revision", second.revision, first.revision)
    got = stub.GetIndicator(puts.GetIndicatorRequest(id=TIMELY), timeout=SECONDS)
    same("the ratio's decimals", [version.decimals for version in got.versions], [1])


def submit(stub):
    """Both agencies submit; the police's answer is lost, so to say, and they ask again."""

    def visits(period, number):
        return figures.Observation(indicator=VISITS, area=AREA, period=period, number=str(number))

    def timely(period, numerator, denominator):
        ratio = figures.Ratio(numerator=str(numerator), denominator=str(denominator))
        return figures.Observation(indicator=TIMELY, area=AREA, period=period, ratio=ratio)

    request = submission.SubmitObservationsRequest(
        agency=POLICE,
        request_id="police-1",
        source="client.py",
        observations=[
            visits("2022-04", 10),
            visits("2022-05", 20),
            visits("2022-06", 30),
            timely("2022-04", 1, 3),
            timely("2022-05", 45, 90),
        ],
    )
    first = stub.SubmitObservations(request, timeout=SECONDS)
    same("the first answer is a repeat", first.already_received, False)
    same("new figures", first.receipt.new_count, 5)
    same("bytes of the chain's hash", len(first.receipt.chain_hash), 32)
    again = stub.SubmitObservations(request, timeout=SECONDS)
    same("the second answer is a repeat", again.already_received, True)
    same("the second receipt", again.receipt, first.receipt)

    request.observations[0].number = "11"
    refused(
        "an id used for other content",
        grpc.StatusCode.ALREADY_EXISTS,
        "REQUEST_ID_REUSED",
        lambda: stub.SubmitObservations(request, timeout=SECONDS),
    )

    # Health reports one month of three.
    health = submission.SubmitObservationsRequest(
        agency=HEALTH, request_id="health-1", observations=[visits("Jun 2022", 5)]
    )
    receipt = stub.SubmitObservations(health, timeout=SECONDS).receipt
    same("health's revision", receipt.revision, first.receipt.revision + 1)
    return receipt.revision


def bad_request(observations):
    return submission.SubmitObservationsRequest(
        agency=POLICE, request_id="police-bad", observations=observations
    )


def send_bad_request(stub):
    details = refused(
        "a bad request",
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_REQUEST",
        lambda: stub.SubmitObservations(
            bad_request(
                [
                    figures.Observation(indicator=VISITS, area="NOWHERE", period="2022-04", number="1"),
                    figures.Observation(indicator="no-such", area=AREA, period="2022", number="1"),
                    figures.Observation(indicator=VISITS, area=AREA, period="2022-06", number="-1"),
                    figures.Observation(indicator=VISITS, area=AREA, period="2022-05", number=""),
                ]
            ),
            timeout=SECONDS,
        ),
    )
    same(
        "the fields reported",
        {violation.field for violation in violations(details)},
        {
            "observations[0].area",
            "observations[1].indicator",
            "observations[1].period",
            "observations[2].number",
            "observations[3].number",
        },
    )


MANY = 200


def many_bad():
    """More violations than a header of the usual size holds."""
    observation = figures.Observation(indicator=VISITS, area="NOWHERE", period="2022", number="1")
    return bad_request([observation] * MANY)


def kept(found):
    """How many violations are kept, and what stands in for the rest."""
    return sum(violation.field != "" for violation in found), [v.description for v in found if v.field == ""]


def send_very_bad_request(stub):
    """On a channel with the usual limits: what fits is reported, and how much more there is."""
    details = refused(
        "a very bad request",
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_REQUEST",
        lambda: stub.SubmitObservations(many_bad(), timeout=SECONDS),
    )
    few, more = kept(violations(details))
    same("the rest is counted", more[0].split()[0], str(2 * MANY - few))


def read_all_violations(stub):
    """On a channel that takes long headers, and asks for them: everything is reported."""
    details = refused(
        "a very bad request, asked for all",
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_REQUEST",
        lambda: stub.SubmitObservations(
            many_bad(), timeout=SECONDS, metadata=[("conspectus-error-bytes-max", str(HEADER_BYTES // 2))]
        ),
    )
    same("the violations kept of all", kept(violations(details)), (2 * MANY, []))


def read_picture(stub, revision):
    request = picture.GetPictureRequest(area=AREA, period="June 2022", min_revision=revision)
    answer = stub.GetPicture(request, timeout=SECONDS)
    same("the period", answer.period, "2022-06")
    rows = {row.indicator.id: row for row in answer.rows}
    same("the rows", sorted(rows), [TIMELY, VISITS])

    row = rows[VISITS]
    same("by agency", {c.agency.id: c.figure.value for c in row.cells}, {POLICE: "30", HEALTH: "5"})
    same("together", row.combined.value, "35")
    same("complete", row.combined.coverage.complete, True)
    change = row.change
    same("the change", (change.from_period, change.difference, change.percent), ("2022-05", "15", "75.0"))
    same("health was missing then, and that is reported", change.partial, True)

    # Missing isn't zero.
    combined = rows[TIMELY].combined
    same("nothing reported", combined.HasField("value"), False)
    same("why", combined.gap, figures.GAP_NOT_REPORTED)


def read_aggregates(stub, revision):
    def ask(**query):
        request = picture.QueryAggregateRequest(areas=[AREA], min_revision=revision, **query)
        return stub.QueryAggregate(request, timeout=SECONDS).rows

    (quarter,) = ask(indicators=[VISITS], periods=["FY2022-23-Q1"])
    same("the quarter", quarter.figure.value, "65")
    coverage = quarter.figure.coverage
    same("its coverage", (coverage.reported, coverage.expected, coverage.complete), (4, 6, False))

    # The sum of the numerators over the sum of the denominators; a mean of percentages would be 41.7.
    months = picture.PeriodRange(first="2022-04", last="2022-05")
    (ratio,) = ask(indicators=[TIMELY], period_range=months)
    figure = ratio.figure
    same("the ratio", (figure.value, figure.numerator, figure.denominator), ("49.5", "46", "93"))

    apart = ask(
        indicators=[VISITS],
        period_range=picture.PeriodRange(first="2022-04", last="2022-06"),
        group_by=[picture.GROUP_BY_AGENCY, picture.GROUP_BY_PERIOD],
    )
    values = {(row.agency, row.period): row.figure.value for row in apart if row.figure.HasField("value")}
    same(
        "by agency and month",
        values,
        {(POLICE, "2022-04"): "10", (POLICE, "2022-05"): "20", (POLICE, "2022-06"): "30", (HEALTH, "2022-06"): "5"},
    )


def stream(stub):
    """The bulk stream: columns whose dictionaries grow, a refusal between, an answer for each."""

    def request(request_id, **columns):
        return submission.StreamSubmissionsRequest(
            submission=submission.SubmitObservationsRequest(
                agency=HEALTH, request_id=request_id, columns=submission.FigureColumns(**columns)
            )
        )

    ratios = [submission.VALUE_FORM_NUMBER, submission.VALUE_FORM_RATIO]
    requests = [
        request("bulk-1", indicators=[VISITS], areas=[AREA], periods=["2023-01", "2023-02"], period=[0, 1], digits=[7, 8]),
        request("bulk-bad", period=[9], digits=[1]),
        # The second item of a dictionary that the first message began.
        request("bulk-2", indicators=[TIMELY], indicator=[0, 1], period=[0], form=ratios, digits=[7, 1], base_digits=[0, 4]),
    ]
    first, bad, second = stub.StreamSubmissions(iter(requests), timeout=SECONDS)
    same("the first of the stream", (first.request_id, first.accepted.receipt.new_count), ("bulk-1", 2))
    same("its outcomes", list(first.accepted.receipt.outcome_column), [submission.OUTCOME_NEW])
    same("the refused", (bad.WhichOneof("result"), bad.refused.reason), ("refused", "INVALID_REQUEST"))
    same("at its field", bad.refused.violations[0].field, "columns.period[0]")
    outcomes = [submission.OUTCOME_UNCHANGED, submission.OUTCOME_NEW]
    same("the second's outcomes", list(second.accepted.receipt.outcome_column), outcomes)
    again = list(stub.StreamSubmissions(iter(requests), timeout=SECONDS))
    same("sent again", [it.accepted.already_received for it in again], [True, False, True])


if __name__ == "__main__":
    main(sys.argv[1])
