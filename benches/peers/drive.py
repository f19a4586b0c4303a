"""Senders in a closed loop, the disk's own speed, and child processes that end with this one."""

import contextlib
import os
import shutil
import signal
import statistics
import subprocess
import threading
import time

PAGE_BYTES = 4096
PAGES_MAX = 500
DISK_SECONDS_MAX = 0.5
STOP_SECONDS = 30


def closed_loop(senders, warm_up_seconds, seconds):
    """Calls each of `senders`, functions of a running number, again and again from a thread of its
    own, and gives how many calls a second ended once warm. A sender that returns False has nothing
    left to send."""
    starts = time.monotonic() + warm_up_seconds
    ends = starts + seconds
    counts, finished, failures = [0] * len(senders), [0.0] * len(senders), []

    def loop(at):
        number = 0
        try:
            while (now := time.monotonic()) < ends and not failures:
                if senders[at](number) is False:
                    break
                number += 1
                if now >= starts:
                    counts[at] += 1
                    finished[at] = time.monotonic()
        except Exception as failure:
            failures.append(failure)

    threads = [threading.Thread(target=loop, args=(at,), daemon=True) for at in range(len(senders))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    if not any(counts):
        raise RuntimeError("nothing was measured in this time")
    return sum(counts) / (max(finished) - starts)


def p50_ms(call, seconds):
    """The median of a call's time in milliseconds; call is a function of a running number."""
    times, number, starts = [], 0, time.monotonic() + seconds / 4
    while (before := time.monotonic()) < starts + seconds or len(times) < 5:
        call(number)
        number += 1
        if before >= starts:
            times.append(time.monotonic() - before)
    return 1000 * statistics.median(times)


def fdatasync_ms(folder):
    """The median times of syncing 4 KiB appended to a file, and written over in its place."""
    os.sync()  # Else what was written before would be part of it.
    path, page, medians = folder / "fdatasync", b"x" * PAGE_BYTES, []
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        for step in (PAGE_BYTES, 0):
            times, at, ends = [], 0, time.monotonic() + DISK_SECONDS_MAX
            while len(times) < PAGES_MAX and (before := time.monotonic()) < ends:
                os.pwrite(descriptor, page, at)
                os.fdatasync(descriptor)
                times.append(time.monotonic() - before)
                at += step
            medians.append(1000 * statistics.median(times))
    finally:
        os.close(descriptor)
        path.unlink()
    return medians


@contextlib.contextmanager
def child(command, stop=signal.SIGTERM, **options):
    """A process, and what it starts in turn, for as long as the block runs. Should this process be
    killed, a watchdog reads the end of its input and stops it."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, process_group=0, **options)
    script = f"cat >/dev/null; kill -{stop.value} -- -$0 2>/dev/null"
    watchdog = subprocess.Popen(["sh", "-c", script, str(process.pid)], stdin=subprocess.PIPE, process_group=0)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, stop)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        watchdog.kill()
        watchdog.stdin.close()
        watchdog.wait()


def remove(folder):
    """A folder that another user may have written to."""
    shutil.rmtree(folder, ignore_errors=True)


def seconds(call):
    """How long a call takes."""
    before = time.monotonic()
    call()
    return time.monotonic() - before
