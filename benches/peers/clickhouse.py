"""ClickHouse, in this process (chdb), which lets one statement run at a time.

One table to which every revision is added, ordered by the questions' key; the newest is picked when
asked. It has no unique keys: a retry is recognised by its token, for the last TOKENS submissions. An
insert is durable once the part that it makes, and the folder, are synced.
"""

import contextlib
import itertools
import random
import shutil

from chdb import session

import drive
import work

NAME = "ClickHouse"
TOKENS = 10_000
SCHEMA = f"""
create table figures.figure (
    indicator UInt8, breakdown UInt8, month UInt8, area UInt8, agency UInt8,
    first Int64, second Int64, revision UInt64, request_id LowCardinality(String)
) engine = MergeTree order by (indicator, breakdown, month, area, agency, revision)
settings fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = {TOKENS},
    parts_to_delay_insert = {TOKENS}, parts_to_throw_insert = {TOKENS}
"""
NEWEST = """(
    select indicator, month, area, agency, argMax((first, second), revision) as newest
    from figures.figure where {chosen} breakdown = 0 and month between {{first}} and {{last}}
    group by indicator, month, area, agency
)"""
OF_ONE = NEWEST.format(chosen="indicator = {indicator} and")
QUESTIONS = {
    "Q1": f"select area, sum(newest.1), sum(newest.2) from {OF_ONE} group by area",
    "Q2": f"select agency, sum(newest.1), sum(newest.2) from {OF_ONE} group by agency",
    "Q3": f"""select indicator, if(grouping(agency) = 0, toInt16(agency), -1),
            sumOrNullIf(newest.1, month = {{last}}), sumOrNullIf(newest.2, month = {{last}}),
            sumOrNullIf(newest.1, month = {{first}}), sumOrNullIf(newest.2, month = {{first}})
        from {NEWEST.format(chosen="")}
        group by grouping sets ((indicator, agency), (indicator)) having max(month) = {{last}}""",
    "Q4": f"select sum(newest.1), sum(newest.2) from {OF_ONE}",
}


def missing():
    """What it would need: nothing."""


@contextlib.contextmanager
def running(folder):
    """A fresh database."""
    peer = Peer(folder / "figures")
    try:
        yield peer
    finally:
        peer.close()


class Peer:
    """An open database."""

    def __init__(self, folder):
        self._folder = folder
        self._own = session.Session(str(folder))
        self._revisions = itertools.count(2)
        self.version = self._query("select version()").data().strip().strip('"')

    def _query(self, statement, form="CSV"):
        return self._own.query(statement, form)

    def close(self):
        self._own.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def create(self):
        """An empty table."""
        self._query("drop database if exists figures sync")
        self._query("create database figures")
        self._query(SCHEMA)

    @staticmethod
    def encode(submission):
        """What `sender` sends, but for the revision."""
        lines = zip(*(map(str, column) for column in submission.figures.values()))
        return submission.agency, submission.request_id, [",".join(line) for line in lines]

    def sender(self):
        """Sends submissions, each durable once this returns."""
        return lambda encoded: self._submit(*encoded)

    def _submit(self, agency, request_id, lines):
        end = f",{next(self._revisions)},'{request_id}')"
        token = f"insert_deduplication_token = '{agency}/{request_id}'"
        values = "(" + f"{end},(".join(lines) + end
        self._query(f"insert into figures.figure settings {token} values {values}")

    def singles(self, senders, seconds):
        """Submissions of one observation a second."""

        def sender(at):
            chance = random.Random(f"{senders}-{at}")

            def send(number):
                values = work.single(chance)
                self._submit(values[4], f"single-{senders}-{at}-{number}", [",".join(map(str, values))])

            return send

        return drive.closed_loop([sender(at) for at in range(senders)], seconds / 4, seconds)

    def load(self, path):
        """All figures, from Parquet, in one durable insert, in order."""
        self._query(f"insert into figures.figure select *, '' from file('{path.with_suffix('.parquet')}')")

    def settle(self):
        """What its merges would do by and by."""
        self._query("optimize table figures.figure final")

    def questions(self, name, senders, seconds):
        """Answers a second to so many that ask at once."""
        of = lambda at: lambda number: self.ask(work.question(name, senders * number + at))
        return drive.closed_loop([of(at) for at in range(senders)], seconds / 4, seconds)

    def ask(self, question, form="Native"):
        """The rows, received but not read."""
        first, last = question.months
        statement = QUESTIONS[question.name].format(indicator=question.indicator, first=first, last=last)
        return self._query(statement, form)

    def answer(self, question):
        """The same as `Data.answer`."""
        lines = self.ask(question, "TSV").data().splitlines()
        return question.answer([None if it == "\\N" else it for it in line.split("\t")] for line in lines)

    def count(self):
        """How many figures there are, revisions included."""
        return int(self._query("select count() from figures.figure").data())

    def bytes(self):
        """What the table takes on the disk."""
        sizes = "select sum(bytes_on_disk) from system.parts where active and database = 'figures'"
        return int(self._query(sizes).data())
