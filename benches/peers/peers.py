"""The load's work on other programs, side by side; the load starts it, and adds what it prints to its own figures."""

import argparse
import json
import pathlib
import pickle
import signal
import sys

import clickhouse
import drive
import duck
import postgres
import service
import work

PEERS = (postgres, duck, clickhouse)
SINGLE_SENDERS = (1, 16, 64)
MANY_SENDERS = (1, 16)
MANY_SECONDS_MAX = 8
# More than any of them takes in that time.
MANY_SUBMISSIONS_MAX = 4_000
QUERY_SENDERS = 16
# How many numbers of each question are put beside the right answers.
ANSWERS = 10


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("what", choices=("check", "measure"))
    arguments.add_argument("--work", type=pathlib.Path, required=True, help="where the data is, and everything is written")
    arguments.add_argument("--address", help="the service, with exactly this data")
    arguments.add_argument("--seconds", type=float, default=1.0, help="how long each measurement goes on")
    args = arguments.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # Another user's server must be able to come to its own folder.
    args.work.chmod(0o711)
    data = work.Data(args.work / "exported")
    rights = right_answers(data, args.work / "rights")
    if args.what == "check":
        with service.connected(args.address, args.work) as connected:
            compare("conspectus", connected, rights)
        say(f"  the service's answers to {len(rights)} questions are right")
    else:
        json.dump(measure(args, data, rights), sys.stdout)


def right_answers(data, path):
    """By adding up all of the data, once."""
    if not path.exists():
        asked = [work.question(name, number) for name in work.QUESTIONS for number in range(ANSWERS)]
        path.write_bytes(pickle.dumps({question: data.answer(question) for question in asked}))
    return pickle.loads(path.read_bytes())


def measure(args, data, rights):
    bulk = args.work / "bulk"
    data.write(bulk)
    versions, figures = {}, {}
    for peer in PEERS:
        if why := peer.missing():
            say(f"  {peer.NAME} is left out: {why}")
            continue
        folder = args.work / peer.NAME
        folder.mkdir()
        with peer.running(folder) as running:
            versions[peer.NAME] = running.version
            figures[peer.NAME] = measure_peer(peer.NAME, running, data, bulk, rights, args.seconds)
        drive.remove(folder)
    return {"versions": versions, "figures": figures}


def measure_peer(name, peer, data, bulk, rights, seconds):
    """One run of one peer: the figures by the load's names for them."""
    found = {}

    def note(key, value):
        found[key] = value
        say(f"  {name}: {key} {value:,.3f}")

    check_retries_and_revisions(peer, data)
    encoded = [peer.encode(submission) for submission in data.submissions[:MANY_SUBMISSIONS_MAX]]
    size = len(encoded) / len(data.submissions) * data.count / len(encoded)
    # A tenth of them by one sender, the rest by several, as the load does; as many as there is time for.
    alone = -(-len(encoded) // 10)
    peer.create()
    for senders, share in zip(MANY_SENDERS, (encoded[:alone], encoded[alone:])):
        rate = drive.closed_loop([submitter(peer, share[at::senders]) for at in range(senders)], 0, MANY_SECONDS_MAX)
        note(f"many_{senders}", rate * size)
    peer.create()
    note("bulk", data.count / drive.seconds(lambda: peer.load(bulk)))
    if peer.count() != data.count:
        raise RuntimeError(f"{peer.count()} of {data.count} figures are there")
    peer.settle()
    note("disk", peer.bytes() / data.count)
    compare(name, peer, rights)
    for query in work.QUESTIONS:
        note(f"{query.lower()}_p50", drive.p50_ms(lambda number: peer.ask(work.question(query, number)), seconds))
        note(f"{query.lower()}_senders_{QUERY_SENDERS}", peer.questions(query, QUERY_SENDERS, seconds))
    for key, value in zip(("append", "overwrite"), drive.fdatasync_ms(bulk.parent)):
        note(f"fdatasync_{key}_p50", value)
    for senders in SINGLE_SENDERS:
        note(f"single_{senders}", peer.singles(senders, seconds))
    return found


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


def say(text):
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
