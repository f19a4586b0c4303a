"""PostgreSQL: a server of its own, asked over loopback TCP by prepared statements.

The newest figures in one table with a covering primary key, what they replaced in another (by a
trigger, so that nothing is lost between concurrent writers), and a unique key for requests: a
submission is one statement, and a retry of it changes nothing. Single observations are sent by
pgbench, since senders in Python would be slower than the server.
"""

import contextlib
import os
import pathlib
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time

import psycopg

import drive

NAME = "PostgreSQL"
START_SECONDS = 30
SETTINGS = {
    "shared_buffers": "1GB",
    "work_mem": "64MB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "30min",
    "max_connections": "100",
    "jit": "off",
    # The defaults that everything here rests on.
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
}
SCHEMA = """
create table submission (
    agency smallint, request_id text, revision bigint generated always as identity, primary key (agency, request_id)
);
create table figure (
    first bigint not null, second bigint not null, revision bigint not null,
    indicator smallint, breakdown smallint, month smallint, area smallint, agency smallint,
    primary key (indicator, breakdown, month, area, agency) include (first, second)
);
create table replaced (like figure);
create function keep_replaced() returns trigger language plpgsql as
    $$ begin insert into replaced select old.*; return new; end $$;
create trigger keep_replaced before update on figure for each row execute function keep_replaced();
create table indicator (id smallint primary key);
insert into indicator select generate_series(0, 199);
"""
SUBMIT = """
with submitted as (
    insert into submission (agency, request_id) values ({agency}, {request_id})
    on conflict do nothing returning agency, revision
)
insert into figure
select item.first, item.second, revision, indicator, breakdown, month, area, agency
from submitted, {items} as item (indicator, breakdown, month, area, first, second)
on conflict (indicator, breakdown, month, area, agency) do update
    set first = excluded.first, second = excluded.second, revision = excluded.revision
    where (figure.first, figure.second) is distinct from (excluded.first, excluded.second)
"""
ITEM_COLUMNS = ("indicator", "breakdown", "month", "area", "first", "second")
MANY = SUBMIT.format(
    agency="%s",
    request_id="%s",
    items="unnest(%s::smallint[], %s::smallint[], %s::smallint[], %s::smallint[], %s::bigint[], %s::bigint[])",
)
ONE = SUBMIT.format(
    agency=":agency",
    request_id="concat('single-', (:senders)::text, '-', (:client_id)::text, '-', (:number)::text)",
    items="""(values ((:indicator)::smallint, (:breakdown)::smallint, (:month)::smallint,
        (:area)::smallint, (:first)::bigint, (:second)::bigint))""",
)
PGBENCH = r"""
\set number :number + 1
\set indicator random(0, 199)
\set second CASE WHEN :indicator % 5 = 0 THEN random(50, 999) ELSE 0 END
\set first CASE WHEN :indicator % 5 = 0 THEN random(0, :second) ELSE random(0, 4999) END
\set breakdown random(0, :indicator % 8)
\set month random(0, 119)
\set area random(0, 149)
\set agency random(0, 39)
"""
OF_ONE = "where indicator = %(indicator)s and breakdown = 0 and month between %(first)s and %(last)s"
QUESTIONS = {
    "Q1": f"select area, sum(first), sum(second) from figure {OF_ONE} group by area",
    "Q2": f"select agency, sum(first), sum(second) from figure {OF_ONE} group by agency",
    # By indicator, because the key begins with it.
    "Q3": """select indicator.id, coalesce(agency, -1),
            sum(first) filter (where month = %(last)s), sum(second) filter (where month = %(last)s),
            sum(first) filter (where month = %(first)s), sum(second) filter (where month = %(first)s)
        from indicator cross join lateral (
            select agency, month, first, second from figure
            where indicator = indicator.id and breakdown = 0 and month between %(first)s and %(last)s
        ) as of_indicator
        group by grouping sets ((indicator.id, agency), (indicator.id)) having max(month) = %(last)s""",
    "Q4": f"select sum(first), sum(second) from figure {OF_ONE}",
}
# What pgbench asks: the same choice as `work.question`.
CHOICES = {
    "Q1": r"""
\set indicator 40 * random(0, 4) + 8
\set first random(0, 119)
\set last :first
""",
    "Q2": r"""
\set indicator 40 * random(0, 4) + 8
\set first 0
\set last 119
""",
    "Q3": r"""
\set last random(1, 119)
\set first :last - 1
""",
    "Q4": r"""
\set indicator 40 * random(0, 4)
\set first 12 * random(0, 9)
\set last :first + 11
""",
}


def missing():
    """What it would need, or None."""
    if binaries() is None:
        return "its server programs aren't on the PATH or in /usr/lib/postgresql (on Debian: apt install postgresql)"
    if os.geteuid() == 0 and server_user() is None:
        return "its server doesn't run as root, and there is no user postgres or nobody"
    return None


def binaries():
    """The newest folder that has all of its programs."""
    installed = pathlib.Path("/usr/lib/postgresql").glob("*/bin")
    folders = sorted(installed, key=lambda folder: float(folder.parent.name), reverse=True)
    if on_path := shutil.which("initdb"):
        folders.append(pathlib.Path(on_path).resolve().parent)
    programs = ("initdb", "postgres", "pgbench")
    return next((it for it in folders if all((it / program).exists() for program in programs)), None)


def server_user():
    """Who the server runs as: whoever runs this, but never root."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    known = {user.pw_name: user for user in pwd.getpwall()}
    return known.get("postgres") or known.get("nobody")


@contextlib.contextmanager
def running(folder):
    """A server on a fresh folder, on a port and with a password of its own."""
    user = server_user()
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "cwd": folder}
    if os.geteuid() == 0:
        options |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        os.chown(folder, user.pw_uid, user.pw_gid)
    password = secrets.token_hex(16)
    (folder / "password").write_text(password)
    os.chown(folder / "password", user.pw_uid, user.pw_gid)
    initdb = [binaries() / "initdb", "--pgdata", folder / "data", "--username", "peer", "--auth", "scram-sha-256"]
    made = subprocess.run([*initdb, "--pwfile", folder / "password", "--encoding", "UTF8", "--locale", "C"], **options)
    if made.returncode:
        raise RuntimeError(f"initdb: {made.stderr.decode()}")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = SETTINGS | {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": ""}
    flags = [flag for name, value in settings.items() for flag in ("-c", f"{name}={value}")]
    command = [binaries() / "postgres", "-D", folder / "data", *flags]
    with drive.child(command, stop=signal.SIGINT, **options | {"stderr": subprocess.DEVNULL}) as server:
        yield Peer(folder, server, port, password)


class Peer:
    """A running server."""

    def __init__(self, folder, server, port, password):
        self._folder, self._port, self._password = folder, port, password
        self._address = f"host=127.0.0.1 port={port} user=peer password={password} dbname=postgres"
        ends = time.monotonic() + START_SECONDS
        while True:
            try:
                self._own = self._connect()
                break
            except psycopg.OperationalError:
                if server.poll() is not None or time.monotonic() > ends:
                    raise
                time.sleep(0.05)
        self.version = self._own.execute("show server_version").fetchone()[0].split()[0]

    def _connect(self):
        return psycopg.connect(self._address, autocommit=True, prepare_threshold=0)

    def close(self):
        self._own.close()

    def create(self):
        """Empty tables."""
        for table in ("submission", "figure", "replaced", "indicator"):
            self._own.execute(f"drop table if exists {table}")
        self._own.execute("drop function if exists keep_replaced")
        self._own.execute(SCHEMA, prepare=False)
        self._empty = self._bytes()

    @staticmethod
    def encode(submission):
        """What `sender` sends."""
        arrays = ["{" + ",".join(map(str, submission.figures[name])) + "}" for name in ITEM_COLUMNS]
        return submission.agency, submission.request_id, *arrays

    def sender(self):
        """Sends submissions, each durable once this returns."""
        connection = self._connect()
        return lambda encoded: connection.execute(MANY, encoded)

    def singles(self, senders, seconds):
        """Submissions of one observation a second."""
        return self._pgbench(PGBENCH + ONE, senders, seconds)

    def questions(self, name, senders, seconds):
        """Answers a second to so many that ask at once."""
        statement = QUESTIONS[name]
        for value in ("indicator", "first", "last"):
            statement = statement.replace(f"%({value})s", f":{value}")
        return self._pgbench(CHOICES[name] + statement, senders, seconds)

    def _pgbench(self, transaction, senders, seconds):
        """Transactions a second."""
        script = self._folder / "pgbench.sql"
        script.write_text(transaction + ";\n")
        environment = os.environ | {"PGPASSWORD": self._password}
        flags = ["--no-vacuum", "--protocol=prepared", f"--client={senders}", f"--jobs={min(senders, 2)}"]
        server = ["--host=127.0.0.1", f"--port={self._port}", "--username=peer", "postgres"]
        # pgbench takes whole seconds; the first of them warms up.
        for first, time_s in ((0, 1), (1 << 40, max(1, round(seconds)))):
            variables = [f"--define=number={first}", f"--define=senders={senders}"]
            rate = None
            # On a busy machine connecting takes all of a second, and there is no rate of nothing.
            while rate is None and time_s <= 16:
                command = [binaries() / "pgbench", f"--file={script}", *flags, *variables, f"--time={time_s}", *server]
                done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=time_s + 60)
                if done.returncode:
                    raise RuntimeError(f"pgbench: {done.stderr}")
                rate = re.search(r"tps = ([0-9.]+)", done.stdout)
                time_s *= 2
            if rate is None:
                raise RuntimeError(f"pgbench gave no rate: {done.stdout}")
        return float(rate[1])

    def load(self, path):
        """All figures, from CSV, in one durable transaction, into the indexed table."""
        columns = "indicator, breakdown, month, area, agency, first, second, revision"
        with self._own.cursor().copy(f"copy figure ({columns}) from stdin (format csv)") as copy:
            with path.with_suffix(".csv").open("rb") as file:
                while piece := file.read(1 << 20):
                    copy.write(piece)

    def settle(self):
        """What the server's own housekeeping would do by and by."""
        self._own.execute("vacuum (analyze)")
        self._own.execute("checkpoint")

    def ask(self, question):
        """The rows, received but not read."""
        first, last = question.months
        chosen = {"indicator": question.indicator, "first": first, "last": last}
        return self._own.execute(QUESTIONS[question.name], chosen, binary=True)

    def answer(self, question):
        """The same as `Data.answer`."""
        return question.answer(self.ask(question))

    def count(self):
        """How many figures there are, revisions included."""
        counts = "select (select count(*) from figure) + (select count(*) from replaced)"
        return self._own.execute(counts).fetchone()[0]

    def bytes(self):
        """What the tables and their indexes take on the disk; the write-ahead log comes on top."""
        return self._bytes() - self._empty

    def _bytes(self):
        return self._own.execute("select pg_database_size(current_database())").fetchone()[0]
