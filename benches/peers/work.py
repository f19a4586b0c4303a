"""The work: the load's data as numbers, the four questions, and their right answers.

Every program gets numbers in place of the ids' texts: the index of an indicator, agency, area,
month (0 is 2015-01) and breakdown (0 is the total). `second` is a ratio's denominator, else 0.
"""

import dataclasses
import random

import numpy as np
import pyarrow
from pyarrow import csv, parquet

INDICATORS = 200
AGENCIES = 40
AREAS = 150
MONTHS = 120
BREAKDOWNS = 8
FIRST_YEAR = 2015
# The agency of an answer's row that is of all agencies together.
ALL_AGENCIES = -1
# A figure's columns, in the order of every table.
COLUMNS = ("indicator", "breakdown", "month", "area", "agency", "first", "second")


def indicator(ix):
    return f"indicator-{ix:03}"


def agency(ix):
    return f"agency-{ix:02}"


def area(ix):
    return f"E{ix:08}"


def month(ix):
    return f"{FIRST_YEAR + ix // 12}-{ix % 12 + 1:02}"


def breakdown(ix):
    return f"band=band-{ix}" if ix else ""


INDEXES = {
    "indicator": {indicator(ix): ix for ix in range(INDICATORS)},
    "agency": {agency(ix): ix for ix in range(AGENCIES)},
    "area": {area(ix): ix for ix in range(AREAS)},
    "month": {month(ix): ix for ix in range(MONTHS)},
    "breakdown": {f"band-{ix}": ix for ix in range(1, BREAKDOWNS)} | {"": 0},
}


@dataclasses.dataclass(frozen=True)
class Submission:
    """Some figures of one agency under its own request id; `figures` maps COLUMNS to arrays."""

    agency: int
    request_id: str
    figures: dict


class Data:
    """What the load wrote out."""

    def __init__(self, folder):
        texts = ["agency", "request_id", "indicator", "area", "month", "breakdown"]
        options = csv.ConvertOptions(column_types={name: "string" for name in texts})
        table = csv.read_csv(folder / "observations.csv", convert_options=options)
        self.figures = {name: table[name].fill_null(0).to_numpy() for name in ("first", "second")}
        for name, indexes in INDEXES.items():
            encoded = table[name].combine_chunks().dictionary_encode()
            known = np.array([indexes[text] for text in encoded.dictionary.to_pylist()], dtype=np.uint8)
            self.figures[name] = known[encoded.indices.to_numpy()]
        self.figures = {name: self.figures[name] for name in COLUMNS}
        self.count = len(self.figures["first"])
        self.submissions = list(self._submissions(table["request_id"].combine_chunks().dictionary_encode()))

    def _submissions(self, request_ids):
        ids, agencies = request_ids.indices.to_numpy(), self.figures["agency"]
        begins = 1 + np.flatnonzero((np.diff(ids) != 0) | (np.diff(agencies.astype(int)) != 0))
        for start, end in zip([0, *begins], [*begins, self.count]):
            figures = {name: column[start:end] for name, column in self.figures.items()}
            yield Submission(int(agencies[start]), request_ids[start].as_py(), figures)

    def write(self, path):
        """All figures as a `.csv` and a `.parquet` of numbers, as they came; the revision is 1."""
        table = pyarrow.table(self.figures | {"revision": np.ones(self.count, dtype=np.int64)})
        csv.write_csv(table, path.with_suffix(".csv"), csv.WriteOptions(include_header=False))
        parquet.write_table(table, path.with_suffix(".parquet"))

    def answer(self, question):
        """The right answer, by adding up all of it."""
        of = self.figures
        chosen = of["breakdown"] == 0
        if question.indicator is not None:
            chosen &= of["indicator"] == question.indicator
        first, last = question.months
        chosen &= (of["month"] >= first) & (of["month"] <= last)
        rows = {}
        for at in np.flatnonzero(chosen):
            figure = int(of["first"][at]), int(of["second"][at])
            for key, offset in question.sums_of({name: int(of[name][at]) for name in COLUMNS[:5]}):
                sums = rows.setdefault(key, [None] * question.sums)
                for step in (0, 1):
                    sums[offset + step] = (sums[offset + step] or 0) + figure[step]
        # A picture has no row for what was reported of the month before alone.
        return {key: tuple(sums) for key, sums in rows.items() if sums[0] is not None}


@dataclasses.dataclass(frozen=True)
class Question:
    """One of Q1 to Q4, of an indicator (None: all), from a first month to a last."""

    name: str
    indicator: int | None
    months: tuple

    @property
    def sums(self):
        """How many sums a row of the answer has: (first, second), for Q3 also of the month before."""
        return 4 if self.name == "Q3" else 2

    def answer(self, rows):
        """As `Data.answer`, from rows of keys and sums as texts or numbers; empty sums are no answer."""
        keys = {"Q1": 1, "Q2": 1, "Q3": 2, "Q4": 0}[self.name]
        whole = [tuple(None if it is None else int(it) for it in row) for row in rows]
        return {row[:keys]: row[keys:] for row in whole if row[keys] is not None}

    def sums_of(self, figure):
        """The rows that a figure adds to, and at which of their sums its two numbers begin."""
        match self.name:
            case "Q1":
                return [((figure["area"],), 0)]
            case "Q2":
                return [((figure["agency"],), 0)]
            case "Q3":
                offset = 0 if figure["month"] == self.months[1] else 2
                return [((figure["indicator"], by), offset) for by in (figure["agency"], ALL_AGENCIES)]
            case "Q4":
                return [((), 0)]


def question(name, number):
    """As the load asks it: each number asks of another indicator or month."""
    counted = 40 * (number % 5) + 8
    match name:
        case "Q1":
            return Question(name, counted, (number % MONTHS, number % MONTHS))
        case "Q2":
            return Question(name, counted, (0, MONTHS - 1))
        case "Q3":
            at = 1 + number % (MONTHS - 1)
            return Question(name, None, (at - 1, at))
        case "Q4":
            year = number % (MONTHS // 12)
            return Question(name, 40 * (number % 5), (12 * year, 12 * year + 11))


QUESTIONS = ("Q1", "Q2", "Q3", "Q4")


def single(chance: random.Random):
    """One observation in a random cell: the values of COLUMNS."""
    indicator = chance.randrange(INDICATORS)
    first, second = chance.randrange(5_000), 0
    if indicator % 5 == 0:
        second = 50 + chance.randrange(950)
        first = chance.randrange(second + 1)
    breakdown = chance.randrange(1 + indicator % BREAKDOWNS)
    cell = chance.randrange(MONTHS), chance.randrange(AREAS), chance.randrange(AGENCIES)
    return indicator, breakdown, *cell, first, second
