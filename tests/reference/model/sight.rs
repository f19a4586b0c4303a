//! What is known at a revision, at an instant: sections 1, 4.1 and 16, by walking through the entries.

use conspectus::catalogue::items::{Agency, Area, Calendar, Dimension, IndicatorVersion, ReconciliationRule};
use conspectus::entry::{Body, Entry};
use conspectus::model::date::Date;
use conspectus::model::id::{AgencyId, AreaCode, IndicatorId, RequestId};
use conspectus::model::marker::Marker;
use conspectus::model::observation::{Breakdown, Explanation, Measure, Observation, Value};
use conspectus::model::period::Period;
use conspectus::model::submission::Submission;
use conspectus::model::timestamp::Timestamp;
use conspectus::model::zone::Zone;

use super::number::fraction;
use super::periods::is_same;

/// What is known.
pub(crate) struct Sight {
    pub(crate) areas: Vec<Area>,
    pub(crate) agencies: Vec<Agency>,
    pub(crate) dimensions: Vec<Dimension>,
    pub(crate) versions: Vec<IndicatorVersion>,
    pub(crate) rules: Vec<ReconciliationRule>,
    pub(crate) calendars: Vec<Calendar>,
    pub(crate) figures: Vec<Standing>,
    /// The changes of every figure, the oldest first.
    pub(crate) items: Vec<Item>,
    /// The explanations that submissions brought, the oldest first.
    pub(crate) explained: Vec<Explained>,
    pub(crate) today: Date,
    pub(crate) zone: Zone,
}

/// Which figure it is.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) agency: AgencyId,
    pub(crate) indicator: IndicatorId,
    pub(crate) area: AreaCode,
    pub(crate) period: Period,
    pub(crate) breakdown: Breakdown,
}

/// A submitted figure, or a marker in place of one.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) key: Key,
    pub(crate) value: Value,
    pub(crate) sample: bool,
    /// The revision since which it has this value.
    pub(crate) revision: usize,
    pub(crate) request_id: RequestId,
    pub(crate) source: String,
    /// When the submission that brought this value was accepted.
    pub(crate) accepted: Timestamp,
}

/// A change of a figure.
pub(crate) struct Item {
    pub(crate) key: Key,
    pub(crate) revision: usize,
    pub(crate) at: Timestamp,
    pub(crate) restored: bool,
    /// 16.1: "a withdrawal that leaves the same value, because another submission has it too, is none".
    pub(crate) leaves_the_same: bool,
    /// Why, as the submission or the withdrawal that did it says.
    pub(crate) reason: String,
    /// What a submission says of it: also that it is withdrawn (21.2).
    said: Option<Standing>,
}

impl Item {
    /// The figure; none where it was withdrawn.
    pub(crate) fn figure(&self) -> Option<&Standing> {
        self.said.as_ref().filter(|it| !it.value.is_withdrawal())
    }

    /// The submission that it is of.
    pub(crate) fn source(&self) -> Option<&Standing> {
        self.said.as_ref()
    }
}

/// The explanations of a figure of a submission.
pub(crate) struct Explained {
    pub(crate) key: Key,
    pub(crate) request_id: RequestId,
    pub(crate) revision: usize,
    pub(crate) explanations: Vec<Explanation>,
    pub(crate) withdrawn: bool,
}

impl Key {
    pub(crate) fn is(&self, other: &Self) -> bool {
        (&self.agency, &self.indicator, &self.area, &self.breakdown)
            == (&other.agency, &other.indicator, &other.area, &other.breakdown)
            && is_same(self.period, other.period)
    }

    pub(crate) fn of(agency: &AgencyId, observation: &Observation) -> Self {
        Self {
            agency: agency.clone(),
            indicator: observation.indicator.clone(),
            area: observation.area.clone(),
            period: observation.period,
            breakdown: observation.breakdown.clone(),
        }
    }
}

impl Standing {
    /// Whether it fills slots: a value, or the marker that there can be none.
    pub(crate) fn fills(&self) -> bool {
        self.value.measure.is_some() || self.value.markers.contains(Marker::NotApplicable)
    }

    /// Whether it has this value already.
    pub(crate) fn has_value(&self, value: &Value, sample: bool) -> bool {
        self.is_same_value(&Self { value: *value, sample, ..self.clone() })
    }

    /// 4.1: "The number decides whether two values are the same, not the way it is written […]. Markers, the form of
    /// the value and whether it is made up also belong to a value."
    fn is_same_value(&self, other: &Self) -> bool {
        let plain = |value: &Value| {
            value.measure.map(|measure| match measure {
                Measure::Number(a) => ("number", fraction(a), None),
                Measure::Ratio { numerator: a, denominator: b } => ("ratio", fraction(a), Some(fraction(b))),
                Measure::Percentage { percent: a, base: b } => ("percentage", fraction(a), Some(fraction(b))),
                Measure::Mean { mean: a, count: b } => ("mean", fraction(a), Some(fraction(b))),
            })
        };
        let both_withdraw = self.value.is_withdrawal() && other.value.is_withdrawal();
        let all = |it: &Self| (plain(&it.value), it.value.markers, it.sample);
        both_withdraw || all(self) == all(other)
    }
}

/// When and why a figure changes.
struct Change<'a> {
    revision: usize,
    at: Timestamp,
    reason: &'a str,
    restored: bool,
}

/// 2022-01-01 was a Saturday.
fn is_weekend(day: Date) -> bool {
    let saturday: Date = "2022-01-01".parse().unwrap();
    (day.days() - saturday.days()).rem_euclid(7) < 2
}

/// A submission that was accepted, and whether it still counts.
struct Sent<'e> {
    submission: &'e Submission,
    at: Timestamp,
    withdrawn: bool,
}

impl Sight {
    /// As of a revision, which is the number of the newest entry, at an instant.
    pub(crate) fn of(entries: &[Entry], revision: usize, at: Timestamp, zone: &Zone) -> Self {
        let mut sight = Self {
            areas: vec![],
            agencies: vec![],
            dimensions: vec![],
            versions: vec![],
            rules: vec![],
            calendars: vec![],
            figures: vec![],
            items: vec![],
            explained: vec![],
            today: zone.date(at),
            zone: zone.clone(),
        };
        let mut sent = Vec::new();
        for (revision, entry) in (1..).zip(&entries[..revision]) {
            match &entry.body {
                Body::CataloguePut(put) => {
                    put.areas.iter().for_each(|it| replace(&mut sight.areas, it, |a, b| a.code == b.code));
                    put.agencies.iter().for_each(|it| replace(&mut sight.agencies, it, |a, b| a.id == b.id));
                    put.dimensions.iter().for_each(|it| replace(&mut sight.dimensions, it, |a, b| a.id == b.id));
                    put.calendars.iter().for_each(|it| replace(&mut sight.calendars, it, |a, b| a.id == b.id));
                    put.reconciliation_rules.iter().for_each(|it| replace(&mut sight.rules, it, |a, b| a.id == b.id));
                    put.indicators.iter().for_each(|it| {
                        replace(&mut sight.versions, it, |a, b| a.id == b.id && a.effective_from == b.effective_from);
                    });
                }
                Body::Submission { submission, .. } => {
                    sent.push(Sent { submission, at: entry.at, withdrawn: false });
                    for observation in submission.observations.iter() {
                        sight.explained.push(Explained {
                            key: Key::of(&submission.agency, &observation),
                            request_id: submission.request_id.clone(),
                            revision,
                            explanations: observation.explanations.clone(),
                            withdrawn: false,
                        });
                        let it = standing(&sent[sent.len() - 1], &observation, revision);
                        let change = Change { revision, at: entry.at, reason: &submission.reason, restored: false };
                        sight.becomes(&it.key.clone(), Some(it), &change);
                    }
                }
                Body::Withdrawal(withdrawal) => {
                    let is = |it: &&mut Sent<'_>| {
                        it.submission.agency == withdrawal.agency && it.submission.request_id == withdrawal.request_id
                    };
                    let gone = sent.iter_mut().find(is).unwrap();
                    gone.withdrawn = true;
                    let gone = gone.submission;
                    let is_gone =
                        |it: &&mut Explained| it.key.agency == gone.agency && it.request_id == gone.request_id;
                    sight.explained.iter_mut().filter(is_gone).for_each(|it| it.withdrawn = true);
                    for observation in gone.observations.iter() {
                        let key = Key::of(&gone.agency, &observation);
                        let known = sight.figures.iter().find(|it| it.key.is(&key));
                        // What it didn't bring, or no longer, goes on.
                        if known.is_some_and(|it| it.request_id == gone.request_id) {
                            let left = newest(&sent, &key, revision);
                            let change = Change { revision, at: entry.at, reason: &withdrawal.reason, restored: true };
                            sight.becomes(&key, left, &change);
                        }
                    }
                }
                Body::Access(_) | Body::AuditAnchor(_) | Body::ReturnCompletion(_) => {}
            }
        }
        // 21.2: "after an observation withdraws a figure there is none".
        sight.figures.retain(|it| !it.value.is_withdrawal());
        sight.areas.sort_by(|a, b| a.code.cmp(&b.code));
        sight.agencies.sort_by(|a, b| a.id.cmp(&b.id));
        sight.rules.sort_by(|a, b| a.id.cmp(&b.id));
        sight
    }

    /// A figure gets a value, or none, or is withdrawn. 4.1: "submitting the one after the other changes nothing".
    fn becomes(&mut self, key: &Key, new: Option<Standing>, change: &Change<'_>) {
        let Change { revision, at, reason, restored } = *change;
        let index = self.figures.iter().position(|known| known.key.is(key));
        let old = index.map(|index| &self.figures[index]);
        let is_same = match (old, &new) {
            (Some(old), Some(new)) => old.is_same_value(new),
            (None, None) => true,
            // 21.2: "withdrawing one that is withdrawn already changes nothing".
            (None, Some(it)) | (Some(it), None) => it.value.is_withdrawal(),
        };
        // 4.4: without the submission that was withdrawn, the same value may have been accepted only later.
        let new = match (old, new) {
            (Some(old), Some(new)) if is_same && restored => {
                Some(Standing { revision: old.revision, value: old.value, ..new })
            }
            _ if is_same => return,
            (_, new) => new,
        };
        if let Some(index) = index {
            self.figures.remove(index);
        }
        self.figures.extend(new.clone());
        let (key, reason) = (key.clone(), reason.to_owned());
        self.items.push(Item { key, revision, at, restored, leaves_the_same: is_same, reason, said: new });
    }

    /// 21.5: the day on which a figure is due.
    pub(crate) fn due(&self, version: &IndicatorVersion, period: Period) -> Date {
        let mut due = period.end().plus_days(version.due_days.into());
        let calendar = self.calendars.iter().find(|it| version.due_calendar.as_ref() == Some(&it.id));
        while calendar.is_some_and(|it| is_weekend(due) || it.holidays.contains(&due)) {
            due = due.plus_days(1);
        }
        due
    }

    pub(crate) fn versions_of<'a>(&'a self, indicator: &IndicatorId) -> impl Iterator<Item = &'a IndicatorVersion> {
        self.versions.iter().filter(move |version| version.id == *indicator)
    }

    /// 3.3: the version in force on the period's last day.
    pub(crate) fn version(&self, indicator: &IndicatorId, period: Period) -> &IndicatorVersion {
        self.versions_of(indicator)
            .filter(|version| version.effective_from.is_none_or(|from| from <= period.end()))
            .max_by_key(|version| version.effective_from)
            .unwrap_or_else(|| self.versions_of(indicator).min_by_key(|it| it.effective_from).unwrap())
    }

    pub(crate) fn indicator_ids(&self) -> Vec<IndicatorId> {
        let mut ids: Vec<_> = self.versions.iter().map(|version| version.id.clone()).collect();
        ids.sort();
        ids.dedup();
        ids
    }

    pub(crate) fn agency_ids(&self) -> Vec<AgencyId> {
        self.agencies.iter().map(|agency| agency.id.clone()).collect()
    }
}

fn standing(sent: &Sent<'_>, observation: &Observation, revision: usize) -> Standing {
    Standing {
        key: Key::of(&sent.submission.agency, observation),
        value: observation.value,
        sample: sent.submission.sample,
        revision,
        request_id: sent.submission.request_id.clone(),
        source: sent.submission.source.clone(),
        accepted: sent.at,
    }
}

/// 4.1: "the newest submission that wasn't withdrawn counts". Its value was accepted with the first of the submissions
/// that have it, one after the other: "submitting the one after the other changes nothing".
fn newest(sent: &[Sent<'_>], key: &Key, revision: usize) -> Option<Standing> {
    let mut left = sent.iter().rev().filter(|it| !it.withdrawn).filter_map(|it| {
        let observations: Vec<Observation> = it.submission.observations.iter().collect();
        observations.iter().map(|of| standing(it, of, revision)).find(|found| found.key.is(key))
    });
    let newest = left.next()?;
    let first = left.take_while(|it| it.is_same_value(&newest)).last();
    Some(first.unwrap_or(newest))
}

fn replace<T: Clone>(items: &mut Vec<T>, new: &T, is_same: impl Fn(&T, &T) -> bool) {
    items.retain(|known| !is_same(known, new));
    items.push(new.clone());
}
