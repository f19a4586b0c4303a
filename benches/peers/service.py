"""The service beside its peers: its answers over gRPC, by stubs as a partner would make them."""

import contextlib
import os
import pathlib
import re
import sys
import time

import grpc
import grpc_tools
import numpy as np
from grpc_tools import protoc

import drive
import load
import work

START_SECONDS = 30
CALL_SECONDS = 60
ANSWER_BYTES_MAX = 64 << 20


def stubs(folder):
    """Makes the stubs from the protos, as a partner would."""
    protos, well_known = load.REPOSITORY / "proto", pathlib.Path(grpc_tools.__file__).parent / "_proto"
    files = sorted(str(file) for file in (protos / "conspectus" / "v1").glob("*.proto"))
    if protoc.main(["protoc", f"-I{protos}", f"-I{well_known}", f"--python_out={folder}", *files]):
        raise RuntimeError("the protos don't compile")
    sys.path.insert(0, str(folder))
    from conspectus.v1 import figures_pb2, picture_service_pb2, submission_service_pb2

    return figures_pb2, picture_service_pb2, submission_service_pb2


@contextlib.contextmanager
def running(profile, folder, catalogue):
    """A server on a fresh folder, with the catalogue."""
    command = [load.service(profile), "serve", "--listen", "127.0.0.1:0", "--data", folder / "data"]
    with (folder / "log").open("w") as log:
        environment = os.environ | {"CONSPECTUS_LOG": "info"}
        with drive.child(command, env=environment, stdout=log, stderr=log) as process:
            ends = time.monotonic() + START_SECONDS
            while not (address := re.search(r"address=(\S+)", (folder / "log").read_text())):
                if process.poll() is not None or time.monotonic() > ends:
                    raise RuntimeError(f"the server doesn't start: {(folder / 'log').read_text()}")
                time.sleep(0.05)
            # gRPC would send even this through a proxy of the environment.
            options = [("grpc.enable_http_proxy", 0), ("grpc.max_receive_message_length", ANSWER_BYTES_MAX)]
            with grpc.insecure_channel(address[1], options) as channel:
                grpc.channel_ready_future(channel).result(START_SECONDS)
                service = Service(channel, stubs(folder))
                service.call("CatalogueService/PutCatalogue", catalogue)
                yield service


class Service:
    """A running server."""

    def __init__(self, channel, modules):
        self._channel = channel
        self._figures, self._picture, self._submission = modules

    def call(self, method, message):
        """A call whose request is bytes, and its answer too."""
        return self._channel.unary_unary(f"/conspectus.v1.{method}")(message, timeout=CALL_SECONDS)

    def submit(self, submission):
        """The receipt of a submission."""
        columns = self._submission.FigureColumns()
        of = submission.figures
        for column, name in (("indicator", work.indicator), ("area", work.area), ("period", work.month)):
            self._column(columns, column, of["month" if column == "period" else column], name)
        self._column(columns, "breakdown", of["breakdown"], work.breakdown)
        forms = self._submission.VALUE_FORM_NUMBER, self._submission.VALUE_FORM_RATIO
        columns.form.extend(forms[int(second > 0)] for second in of["second"])
        columns.digits.extend(of["first"].tolist())
        columns.base_digits.extend(of["second"].tolist())
        request = self._submission.SubmitObservationsRequest(
            agency=work.agency(submission.agency), request_id=submission.request_id, columns=columns
        )
        answer = self.call("SubmissionService/SubmitObservations", request.SerializeToString())
        return self._submission.SubmitObservationsResponse.FromString(answer).receipt

    @staticmethod
    def _column(columns, column, indexes, name):
        known, at = np.unique(indexes, return_inverse=True)
        getattr(columns, column + "s").extend(name(int(index)) for index in known)
        getattr(columns, column).extend(at.tolist())

    def answer(self, question):
        """The same as `Data.answer`."""
        return self._of_picture(question) if question.name == "Q3" else self._of_aggregate(question)

    def _of_aggregate(self, question):
        by = {"Q1": "AREA", "Q2": "AGENCY", "Q4": None}[question.name]
        request = self._picture.QueryAggregateRequest(
            indicators=[work.indicator(question.indicator)], areas=["WHOLE"], page_size=10_000
        )
        if by:
            request.group_by.append(getattr(self._picture, f"GROUP_BY_{by}"))
        if question.name == "Q1":
            from conspectus.v1 import catalogue_pb2

            request.area_level = catalogue_pb2.AREA_LEVEL_UPPER_TIER
        first, last = (work.month(month) for month in question.months)
        request.period_range.first, request.period_range.last = first, last
        answer = self.call("PictureService/QueryAggregate", request.SerializeToString())
        rows = self._picture.QueryAggregateResponse.FromString(answer).rows
        key = {
            "Q1": lambda row: (work.INDEXES["area"][row.area],),
            "Q2": lambda row: (work.INDEXES["agency"][row.agency],),
            "Q4": lambda row: (),
        }[question.name]
        return {key(row): sums(row.figure) for row in rows if row.figure.HasField("value")}

    def _of_picture(self, question):
        request = self._picture.GetPictureRequest(area="WHOLE", period=work.month(question.months[1]))
        answer = self.call("PictureService/GetPicture", request.SerializeToString())
        rows = {}
        for row in self._picture.GetPictureResponse.FromString(answer).rows:
            indicator = work.INDEXES["indicator"][row.indicator.id]
            rows[indicator, work.ALL_AGENCIES] = sums(row.combined) + sums(getattr(row.change, "from"))
            for cell in row.cells:
                agency = work.INDEXES["agency"][cell.agency.id]
                rows[indicator, agency] = sums(cell.figure) + sums(getattr(cell.change, "from"))
        return {key: row for key, row in rows.items() if row[0] is not None}


def sums(figure):
    """What a figure is made of: (first, second), or nothing."""
    if not figure.HasField("value"):
        return None, None
    if figure.HasField("numerator"):
        return int(figure.numerator), int(figure.denominator)
    return int(figure.value), 0
