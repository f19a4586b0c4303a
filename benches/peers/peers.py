"""The same work on several programs, side by side; `run` starts it."""

import argparse
import os
import pathlib
import signal
import statistics
import sys

import clickhouse
import drive
import duck
import load
import postgres
import service
import work

PEERS = (postgres, duck, clickhouse)
SERVICE = "conspectus"
SINGLE_SENDERS = (1, 16, 64)
MANY_SENDERS = (1, 16)
MANY_SECONDS_MAX = 8
# How many numbers of each question are put beside the right answers.
ANSWERS = 10

SYNCS = ("append", "overwrite")
ROWS = {
    "append": "`fdatasync` of 4 KiB appended, p50, ms",
    "overwrite": "the same, overwritten",
    "single 1": "one observation, durable, 1 sender: /s",
    "single 16": "16 senders: /s",
    "single 64": "64 senders: /s",
    "many 1": "1,000 observations, durable, 1 sender: obs/s",
    "many 16": "16 senders: obs/s",
    "bulk": "in bulk: obs/s",
    "Q1": "Q1 p50, ms",
    "Q2": "Q2 p50, ms",
    "Q3": "Q3 p50, ms",
    "Q4": "Q4 p50, ms",
    "bytes": "disk, bytes an observation",
}
# Of these less is better.
COSTS = {"Q1", "Q2", "Q3", "Q4", "bytes"}


def main():
    arguments = argparse.ArgumentParser(prog="benches/peers/run", description=__doc__)
    arguments.add_argument("--observations", type=int, default=1_000_000, help="how many to fill each with")
    arguments.add_argument("--runs", type=int, default=3, help="how often to measure everything")
    arguments.add_argument("--seconds", type=float, default=2.0, help="how long each measurement goes on")
    arguments.add_argument("--work", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    arguments.add_argument("--profile", default="bench", help="which of cargo's profiles to build the service with")
    args = arguments.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        measure(args)
    except KeyboardInterrupt:
        sys.exit(130)


def measure(args):
    # Another user's server must be able to come to its own folder.
    args.work.chmod(0o711)
    say("building the service, writing out the data")
    exported = args.work / "exported"
    load.run(args.profile, "--observations", str(args.observations), "--export", str(exported))
    data = work.Data(exported)
    bulk = args.work / "bulk"
    data.write(bulk)
    rights = {
        question: data.answer(question)
        for question in (work.question(name, number) for name in work.QUESTIONS for number in range(ANSWERS))
    }
    say(f"{data.count} observations; comparing the service's answers")
    check_service(args, data, rights)
    peers = []
    for peer in PEERS:
        if why := peer.missing():
            say(f"{peer.NAME} is left out: {why}")
        else:
            peers.append(peer)
    runs, versions = [], {}
    for number in range(args.runs):
        say(f"run {number + 1} of {args.runs}, load average {os.getloadavg()[0]:.1f}")
        run = {SERVICE: syncs(args.work) | load.measure(args.profile, args.observations, args.seconds)}
        for peer in peers:
            folder = args.work / f"{peer.NAME}-{number}"
            folder.mkdir()
            with peer.running(folder) as running:
                versions[peer.NAME] = f"{peer.NAME} {running.version}"
                run[peer.NAME] = measure_peer(peer.NAME, running, data, bulk, rights, args.seconds)
        runs.append(run)
        for name, found in run.items():
            say(f"  {name}: " + ", ".join(f"{row} {figure(value)}" for row, value in found.items()))
    print_table(args, data.count, runs, versions)


def check_service(args, data, rights):
    """The service's answers over gRPC, from the very same data, must be the right ones."""
    folder = args.work / "service"
    folder.mkdir()
    with service.running(args.profile, folder, data.catalogue) as running:
        for submission in data.submissions:
            running.submit(submission)
        compare(SERVICE, running, rights)


def measure_peer(name, peer, data, bulk, rights, seconds):
    """One run of one peer: the figures by their row."""
    found = {}
    check_retries_and_revisions(peer, data)
    encoded = [peer.encode(submission) for submission in data.submissions]
    # A tenth of them by one sender, the rest by several, as the load does; as many as there is time for.
    alone = -(-len(encoded) // 10)
    peer.create()
    for senders, share in zip(MANY_SENDERS, (encoded[:alone], encoded[alone:])):
        rate = drive.closed_loop([submitter(peer, share[at::senders]) for at in range(senders)], 0, MANY_SECONDS_MAX)
        found[f"many {senders}"] = rate * data.count / len(encoded)
    peer.create()
    found["bulk"] = data.count / drive.seconds(lambda: peer.load(bulk))
    if peer.count() != data.count:
        raise RuntimeError(f"{peer.count()} of {data.count} figures are there")
    peer.settle()
    found["bytes"] = peer.bytes() / data.count
    compare(name, peer, rights)
    for query in work.QUESTIONS:
        found[query] = drive.p50_ms(lambda number: peer.ask(work.question(query, number)), seconds / 2)
    found |= syncs(bulk.parent)
    for senders in SINGLE_SENDERS:
        found[f"single {senders}"] = peer.singles(senders, seconds)
    return found


def syncs(folder):
    """What a sync of the disk takes at this moment: that differs from minute to minute."""
    return dict(zip(SYNCS, drive.fdatasync_ms(folder)))


def submitter(peer, encoded):
    send = peer.sender()

    def next_one(number):
        if number >= len(encoded):
            return False
        send(encoded[number])

    return next_one


def check_retries_and_revisions(peer, data):
    """A retry changes nothing; a revision is answered, and what it replaced is kept."""
    peer.create()
    send, submission = peer.sender(), data.submissions[0]
    for _ in range(2):
        send(peer.encode(submission))
    size = len(submission.figures["first"])
    same("figures after a retry", peer.count(), size)
    of_totals = submission.figures["breakdown"] == 0
    revised = {name: column[of_totals][:1] for name, column in submission.figures.items()}
    revised["first"] = revised["first"] + 1
    send(peer.encode(work.Submission(submission.agency, "revised", revised)))
    same("figures after a revision", peer.count(), size + 1)
    indicator, month = int(revised["indicator"][0]), int(revised["month"][0])
    found = peer.answer(work.Question("Q4", indicator, (month, month)))[()]
    chosen = (submission.figures["indicator"] == indicator) & of_totals & (submission.figures["month"] == month)
    same("the sum after a revision", found[0], int(submission.figures["first"][chosen].sum()) + 1)


def compare(name, peer, rights):
    for question, right in rights.items():
        same(f"{name}'s answer to {question}", peer.answer(question), right)


def same(what, found, wanted):
    if found == wanted:
        return
    if isinstance(wanted, dict):
        keys = sorted(key for key in found.keys() | wanted.keys() if found.get(key) != wanted.get(key))
        what = f"{what}, {len(keys)} rows, the first {keys[0]}"
        found, wanted = found.get(keys[0]), wanted.get(keys[0])
    raise RuntimeError(f"{what}: found {found}, not {wanted}")


def print_table(args, count, runs, versions):
    """Medians, and ratios taken within a run, in Markdown."""
    names = list(runs[0])
    print(
        f"{count:,} observations, medians of {args.runs} runs of {args.seconds:g} s each, {os.cpu_count()} cores, "
        f"load average {os.getloadavg()[0]:.1f} at the end; in brackets how many times better {SERVICE} "
        "was in the same run\n"
    )
    print("| | " + " | ".join(versions.get(name, name) for name in names) + " |")
    print("|---" * (1 + len(names)) + "|")
    for row, title in ROWS.items():
        cells = [figure(statistics.median(run[name][row] for run in runs)) for name in names]
        if row not in SYNCS:
            for at, name in enumerate(names[1:], 1):
                ratios = [better(row, run[SERVICE][row], run[name][row]) for run in runs]
                cells[at] += f" ({figure(statistics.median(ratios))} ×)"
        print(f"| {title} | " + " | ".join(cells) + " |")


def better(row, ours, theirs):
    return theirs / ours if row in COSTS else ours / theirs


def figure(value):
    """Three digits, or all before the point."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.{1 if value >= 10 else 2 if value >= 0.1 else 3}f}"


def say(text):
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
