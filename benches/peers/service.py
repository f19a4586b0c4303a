"""The service beside its peers: its answers over gRPC, by stubs as a partner would make them."""

import contextlib
import pathlib
import sys

import grpc
import grpc_tools
from grpc_tools import protoc

import work

PROTOS = pathlib.Path(__file__).resolve().parents[2] / "proto"
CONNECT_SECONDS = 30
CALL_SECONDS = 60
ANSWER_BYTES_MAX = 64 << 20


def stubs(folder):
    """Makes the stubs from the protos, as a partner would."""
    well_known = pathlib.Path(grpc_tools.__file__).parent / "_proto"
    files = sorted(str(file) for file in (PROTOS / "conspectus" / "v1").glob("*.proto"))
    if protoc.main(["protoc", f"-I{PROTOS}", f"-I{well_known}", f"--python_out={folder}", *files]):
        raise RuntimeError("the protos don't compile")
    sys.path.insert(0, str(folder))
    from conspectus.v1 import catalogue_pb2, picture_service_pb2

    return catalogue_pb2, picture_service_pb2


@contextlib.contextmanager
def connected(address, folder):
    """The service that runs there; the stubs go into the folder."""
    # gRPC would send even this through a proxy of the environment.
    options = [("grpc.enable_http_proxy", 0), ("grpc.max_receive_message_length", ANSWER_BYTES_MAX)]
    with grpc.insecure_channel(address, options) as channel:
        grpc.channel_ready_future(channel).result(CONNECT_SECONDS)
        yield Service(channel, stubs(folder))


class Service:
    """A running server."""

    def __init__(self, channel, modules):
        self._channel = channel
        self._catalogue, self._picture = modules

    def call(self, method, message):
        """A call whose request is bytes, and its answer too."""
        return self._channel.unary_unary(f"/conspectus.v1.{method}")(message, timeout=CALL_SECONDS)

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
            request.area_level = self._catalogue.AREA_LEVEL_UPPER_TIER
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
