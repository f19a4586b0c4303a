"""DuckDB, in this process, its threads sharing the cores with the senders.

One table to which every revision is added, ordered by the questions' key when loaded in bulk, and a
unique key for requests. The newest revision is picked when asked: a table of the newest alone, with
a unique key on five columns, would be slower to write. A commit is one sync of its log.
"""

import contextlib
import random

import duckdb
import pyarrow

import drive
import work

NAME = "DuckDB"
SCHEMA = """
create sequence revision;
create table submission (
    agency utinyint, request_id varchar, revision bigint default nextval('revision'), primary key (agency, request_id)
);
create table figure (
    indicator utinyint, breakdown utinyint, month utinyint, area utinyint, agency utinyint,
    first bigint, second bigint, revision bigint
);
"""
NEWEST = """(
    select indicator, month, area, agency, unnest(arg_max({{first: first, second: second}}, revision))
    from figure where {chosen} and breakdown = 0 and month between $2 and $3
    group by indicator, month, area, agency
)"""
OF_ONE = NEWEST.format(chosen="indicator = $1")
QUESTIONS = {
    "Q1": f"select area, sum(first), sum(second) from {OF_ONE} group by area",
    "Q2": f"select agency, sum(first), sum(second) from {OF_ONE} group by agency",
    "Q3": f"""select indicator, coalesce(agency, -1),
            sum(first) filter (month = $3), sum(second) filter (month = $3),
            sum(first) filter (month = $2), sum(second) filter (month = $2)
        from {NEWEST.format(chosen="$1 is null")}
        group by grouping sets ((indicator, agency), (indicator)) having max(month) = $3""",
    "Q4": f"select sum(first), sum(second) from {OF_ONE}",
}


def missing():
    """What it would need: nothing."""


@contextlib.contextmanager
def running(folder):
    """A fresh database."""
    peer = Peer(folder / "figures.duckdb")
    try:
        yield peer
    finally:
        peer.close()


class Peer:
    """An open database."""

    def __init__(self, path):
        self._path = path
        self.version = duckdb.__version__
        self._own = duckdb.connect(str(path))

    def close(self):
        self._own.close()

    def create(self):
        """Empty tables, in a fresh file."""
        self._own.close()
        for path in self._path.parent.glob(self._path.name + "*"):
            path.unlink()
        self._own = duckdb.connect(str(self._path))
        self._own.execute(SCHEMA)
        prepare(self._own)
        self._own.execute("checkpoint")
        self._empty = self._bytes()

    @staticmethod
    def encode(submission):
        """What `sender` sends."""
        return submission.agency, submission.request_id, pyarrow.table(submission.figures)

    def sender(self):
        """Sends submissions, each durable once this returns."""
        connection = self._submitter()

        def send(encoded):
            agency, request_id, figures = encoded
            submit(connection, agency, request_id, "select *, {revision} from figures", figures)

        return send

    def _submitter(self):
        connection = self._own.cursor()
        insert = "insert into submission (agency, request_id) values ($1, $2) returning revision"
        connection.execute(f"prepare submit as {insert}")
        return connection

    def singles(self, senders, seconds):
        """Submissions of one observation a second."""

        def sender(at):
            connection, chance = self._submitter(), random.Random(f"{senders}-{at}")

            def send(number):
                values = work.single(chance)
                figure = ", ".join(map(str, values))
                submit(connection, values[4], f"single-{senders}-{at}-{number}", f"values ({figure}, {{revision}})")

            return send

        return drive.closed_loop([sender(at) for at in range(senders)], seconds / 4, seconds)

    def load(self, path):
        """All figures, from Parquet, in one durable transaction, in order."""
        self._own.execute(f"insert into figure select * from '{path.with_suffix('.parquet')}' order by all")

    def settle(self):
        """What it would do by and by."""
        self._own.execute("checkpoint")

    def questions(self, name, senders, seconds):
        """Answers a second to so many that ask at once."""

        def sender(at):
            connection = self._own.cursor()
            prepare(connection)
            return lambda number: self.ask(work.question(name, senders * number + at), connection)

        return drive.closed_loop([sender(at) for at in range(senders)], seconds / 4, seconds)

    def ask(self, question, connection=None):
        """The rows, received but not read."""
        indicator = "null" if question.indicator is None else question.indicator
        first, last = question.months
        return (connection or self._own).execute(f"execute {question.name}({indicator}, {first}, {last})").fetchnumpy()

    def answer(self, question):
        """The same as `Data.answer`."""
        return question.answer(zip(*(column.tolist() for column in self.ask(question).values())))

    def count(self):
        """How many figures there are, revisions included."""
        return self._own.execute("select count(*) from figure").fetchone()[0]

    def bytes(self):
        """What the database takes on the disk."""
        return self._bytes() - self._empty

    def _bytes(self):
        return sum(path.stat().st_size for path in self._path.parent.glob(self._path.name + "*"))


def prepare(connection):
    for name, question in QUESTIONS.items():
        connection.execute(f"prepare {name} as {question}")


def submit(connection, agency, request_id, rows, figures=None):
    """One submission, unless it is there already; `figures` is what `rows` may name. (`on conflict do
    nothing` would cost a millisecond more than the error that a retry gets so.)"""
    connection.execute("begin")
    try:
        revision = connection.execute(f"execute submit({agency}, '{request_id}')").fetchone()[0]
        connection.execute("insert into figure " + rows.format(revision=revision))
        connection.execute("commit")
    except duckdb.ConstraintException:
        connection.execute("rollback")
