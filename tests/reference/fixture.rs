//! A small partnership to ask things of: figures in as text, answers out as one line.

use conspectus::catalogue::CataloguePut;
use conspectus::catalogue::items::{
    AcrossAgencies, Agency, Area, AreaLevel, AreaParent, ExpectedAgency, IndicatorVersion, Kind, Polarity, Sector,
    UnfinishedPeriods, Validity,
};
use conspectus::entry::Withdrawal;
use conspectus::intake::prepare::Prepared;
use conspectus::model::date::Date;
use conspectus::model::decimal::Rounding;
use conspectus::model::id::AgencyId;
use conspectus::model::marker::Markers;
use conspectus::model::observation::{Breakdown, Measure, Observation, Value};
use conspectus::model::period::Frequency;
use conspectus::model::submission::Submission;
use conspectus::model::timestamp::Timestamp;
use conspectus::model::zone::UTC;
use conspectus::picture::aggregate::Who;
use conspectus::picture::answer;
use conspectus::picture::change::Comparison;
use conspectus::picture::explain;
use conspectus::picture::question::PictureQuery;
use conspectus::state::columns::BreakdownIx;
use conspectus::state::view::{AreasAsOf, View};
use conspectus::state::{Fold, State};

use crate::canonical::{CanonicalChange, CanonicalFigure, Row};
use crate::command::Command;
use crate::question::{AggregateQuestion, PictureQuestion, Question, What, ask};

/// Partnership `P` of the upper tiers `U1`, with districts `D1` and `D2`, and `U2`; the agencies `care`,
/// which is expected to report, and `police`, which isn't, each for all areas; one indicator.
pub(crate) struct Fixture {
    fold: Fold,
    state: State,
    requests: usize,
    pub(crate) today: Date,
    pub(crate) as_of: Option<usize>,
}

/// The same submission with other observations, as a command.
pub(crate) fn with(submission: &Submission, observations: impl IntoIterator<Item = Observation>) -> Command {
    submit(Submission { observations: observations.into_iter().collect(), ..submission.clone() })
}

/// A submission as a command.
pub(crate) fn submit(submission: Submission) -> Command {
    Command::Submit(Prepared::new(submission))
}

pub(crate) fn day(text: &str) -> Date {
    text.parse().unwrap()
}

/// The definition that the tables start from: monthly events, of upper tiers, that add.
pub(crate) fn version(kind: Kind, frequency: Frequency) -> IndicatorVersion {
    let expected = ExpectedAgency { agency: "care".parse().unwrap(), validity: Validity::default() };
    IndicatorVersion {
        id: "it".parse().unwrap(),
        effective_from: None,
        title: "It".to_owned(),
        definition: String::new(),
        unit: "things".to_owned(),
        kind,
        decimals: 0,
        rounding: Rounding::HalfUp,
        polarity: Polarity::Neutral,
        frequency,
        due_days: 30,
        reporting_level: AreaLevel::UpperTier,
        across_agencies: AcrossAgencies::Add,
        lead_agency: None,
        expected_agencies: vec![expected],
        dimensions: vec![],
        breaks_comparability: false,
        version_note: String::new(),
        source: String::new(),
        rate: None,
        unfinished_periods: UnfinishedPeriods::Refused,
        checks: vec![],
        due_calendar: None,
        lock_days: None,
        correction_reason_required: false,
    }
}

pub(crate) fn area(code: &str, level: AreaLevel, parent: &str) -> Area {
    let parents = [parent].into_iter().filter(|it| !it.is_empty());
    let parents = parents.map(|it| AreaParent { code: it.parse().unwrap(), validity: Validity::default() }).collect();
    Area {
        code: code.parse().unwrap(),
        name: code.to_owned(),
        level,
        parents,
        valid_from: None,
        valid_to: None,
        successors: vec![],
    }
}

pub(crate) fn agency(id: &str, areas: &[&str]) -> Agency {
    let areas = areas.iter().map(|code| code.parse().unwrap()).collect();
    Agency { id: id.parse().unwrap(), name: id.to_owned(), sector: Sector::Other, areas }
}

const AREAS: [&str; 5] = ["P", "U1", "U2", "D1", "D2"];

impl Fixture {
    pub(crate) fn of(version: IndicatorVersion) -> Self {
        Self::of_versions(vec![version])
    }

    pub(crate) fn of_versions(indicators: Vec<IndicatorVersion>) -> Self {
        let (fold, state, today) = (Fold::default(), State::default(), day("2024-01-01"));
        let mut fixture = Self { fold, state, requests: 0, today, as_of: None };
        fixture.put(CataloguePut {
            areas: vec![
                area("P", AreaLevel::Partnership, ""),
                area("U1", AreaLevel::UpperTier, "P"),
                area("U2", AreaLevel::UpperTier, "P"),
                area("D1", AreaLevel::District, "U1"),
                area("D2", AreaLevel::District, "U1"),
            ],
            agencies: vec![agency("police", &AREAS), agency("care", &AREAS)],
            reconciliation_rules: vec![],
            dimensions: vec![],
            calendars: vec![],
            indicators,
        });
        fixture
    }

    fn take(&mut self, command: &Command) {
        let admitted = command.admit(&self.state, Timestamp(1_704_067_200_000_000));
        let Ok(Some(entry)) = admitted else { panic!("{admitted:?}") };
        self.fold.apply(&entry);
        self.state = self.fold.state();
    }

    pub(crate) fn put(&mut self, put: CataloguePut) {
        self.take(&Command::PutCatalogue(put));
    }

    /// Figures as `area period value`, the value as a receipt writes it; gives the request id.
    pub(crate) fn send(&mut self, agency: &str, figures: &[&str]) -> String {
        self.submit(agency, false, figures)
    }

    pub(crate) fn submit(&mut self, agency: &str, sample: bool, figures: &[&str]) -> String {
        let observation = |text: &&str| {
            let mut words = text.splitn(3, ' ');
            let mut word = || words.next().unwrap();
            Observation {
                indicator: "it".parse().unwrap(),
                area: word().parse().unwrap(),
                period: word().parse().unwrap(),
                breakdown: Breakdown::default(),
                value: value(word()),
                note: None,
                explanations: Vec::new(),
            }
        };
        self.requests += 1;
        let request_id = format!("r{}", self.requests);
        self.take(&submit(Submission {
            agency: agency.parse().unwrap(),
            request_id: request_id.parse().unwrap(),
            source: String::new(),
            sample,
            reason: String::new(),
            return_id: None,
            observations: figures.iter().map(observation).collect(),
        }));
        request_id
    }

    pub(crate) fn withdraw(&mut self, agency: &str, request_id: &str) {
        let (agency, request_id) = (agency.parse().unwrap(), request_id.parse().unwrap());
        self.take(&Command::Withdraw(Withdrawal { agency, request_id, reason: String::new() }.into()));
    }

    pub(crate) fn revision(&self) -> usize {
        usize::try_from(self.state.revision().0).unwrap()
    }

    fn rows(&self, area: &str, period: &str, comparison: Option<Comparison>) -> Vec<Row> {
        let what = What::Picture(PictureQuestion {
            area: area.parse().unwrap(),
            period: period.parse().unwrap(),
            indicators: Some(vec!["it".parse().unwrap()]),
            comparison,
        });
        let as_of = self.as_of.unwrap_or(self.revision());
        ask(&self.state, &Question { as_of, today: self.today, what }).unwrap()
    }

    /// The combined figure.
    pub(crate) fn all(&self, area: &str, period: &str) -> String {
        line(&self.rows(area, period, None).last().unwrap().figure)
    }

    /// One agency's figure.
    pub(crate) fn of_agency(&self, agency: &str, area: &str, period: &str) -> String {
        let key = format!("it - {agency} -");
        self.rows(area, period, None)
            .iter()
            .find(|row| row.key == key)
            .map_or("no cell".to_owned(), |it| line(&it.figure))
    }

    /// The combined figure of some agencies.
    pub(crate) fn of_agencies(&self, agencies: &[&str], area: &str, period: &str) -> String {
        let agencies = Some(agencies.iter().map(|it| it.parse().unwrap()).collect());
        line(&self.aggregate(&[area], &[period], agencies).unwrap()[0].figure)
    }

    fn view(&self) -> View<'_> {
        self.state.view(self.state.catalogue(), self.state.revision(), &UTC, self.today, AreasAsOf::Then)
    }

    /// Where figures that should agree don't: by agency, what was submitted and what the parts come to.
    pub(crate) fn discrepancies(&self, area: &str, period: &str) -> Vec<String> {
        let catalogue = self.state.catalogue();
        let (area, period) = (catalogue.area(&area.parse().unwrap()).unwrap().0, period.parse().unwrap());
        let query = PictureQuery { area, period, indicators: None, comparison: None };
        let rows = answer::picture(self.view(), &query);
        let found = rows.into_iter().flat_map(|row| row.combined.discrepancies.clone());
        let texts = found.map(|it| {
            let agency = &catalogue.agency_at(it.agency).id;
            format!("{agency} {:?}: {} beside {}", it.kind, it.submitted, it.parts)
        });
        texts.collect()
    }

    /// How the figure of `care` came about, and what went into it.
    pub(crate) fn explained(&self, area: &str, period: &str) -> String {
        self.explained_of(Some("care"), area, period).0
    }

    /// How the figure of an agency, or of all, came about, and what went into it; and the rule in words.
    pub(crate) fn explained_of(&self, agency: Option<&str>, area: &str, period: &str) -> (String, String) {
        let catalogue = self.state.catalogue();
        let query = explain::ExplainQuery {
            indicator: catalogue.indicator(&"it".parse().unwrap()).unwrap().0,
            area: catalogue.area(&area.parse().unwrap()).unwrap().0,
            period: period.parse().unwrap(),
            breakdown: Some(BreakdownIx::TOTAL),
            who: agency.map_or(Who::Combined, |id| Who::Agency(catalogue.agency(&id.parse().unwrap()).unwrap().0)),
        };
        let explanation = explain::explain(self.view(), query);
        let contributions = explanation.contributions.iter().map(|it| {
            let area = &catalogue.area_at(it.area).code;
            format!(" {area} {} {}", it.period, it.value)
        });
        let derivation = explanation.derivation.map_or("OverAgencies".to_owned(), |it| format!("{it:?}"));
        (format!("{derivation}:{}", contributions.collect::<Vec<_>>().join(",")), explanation.rule)
    }

    /// Whether the service refuses to answer for areas and periods together.
    pub(crate) fn refuses(&self, areas: &[&str], periods: &[&str]) -> bool {
        self.aggregate(areas, periods, None).is_none()
    }

    fn aggregate(&self, areas: &[&str], periods: &[&str], agencies: Option<Vec<AgencyId>>) -> Option<Vec<Row>> {
        let what = What::Aggregate(AggregateQuestion {
            indicators: vec!["it".parse().unwrap()],
            areas: areas.iter().map(|it| it.parse().unwrap()).collect(),
            agencies,
            periods: periods.iter().map(|it| it.parse().unwrap()).collect(),
            breakdown: Breakdown::default(),
            by_indicator: false,
            by_area: false,
            by_agency: false,
            by_period: false,
            comparison: None,
            across_breaks: false,
        });
        ask(&self.state, &Question { as_of: self.revision(), today: self.today, what })
    }

    /// The change of the combined figure.
    pub(crate) fn change(&self, area: &str, period: &str, comparison: Comparison) -> String {
        change_line(self.rows(area, period, Some(comparison)).last().unwrap().change.as_ref().unwrap())
    }

    /// The change of one agency's figure since the period before.
    pub(crate) fn change_of_agency(&self, agency: &str, area: &str, period: &str) -> String {
        let rows = self.rows(area, period, Some(Comparison::PreviousPeriod));
        let cell = rows.iter().find(|row| row.key == format!("it - {agency} -")).unwrap();
        change_line(cell.change.as_ref().unwrap())
    }
}

/// `12`, `3 of 9`, `87.9 % of 100`, `12.5 over 4`, `[x]`, `12 [p] [e]`.
pub(crate) fn value(text: &str) -> Value {
    let (measure, markers) = text.find('[').map_or((text, ""), |at| text.split_at(at));
    let words: Vec<&str> = measure.split_whitespace().collect();
    let number = |text: &str| text.parse().unwrap();
    let measure = match words.as_slice() {
        [] => None,
        [one] => Some(Measure::Number(number(one))),
        [a, "of", b] => Some(Measure::Ratio { numerator: number(a), denominator: number(b) }),
        [a, "%", "of", b] => Some(Measure::Percentage { percent: number(a), base: number(b) }),
        [a, "over", b] => Some(Measure::Mean { mean: number(a), count: number(b) }),
        _ => panic!("{text}"),
    };
    let markers: Markers = markers.split_whitespace().map(|it| it.trim_matches(['[', ']']).parse().unwrap()).collect();
    Value { measure, markers }
}

/// The value and its slots, reported of expected; then what there is to say of them.
fn line(figure: &CanonicalFigure) -> String {
    let mut text = format!("{} {}/{}", figure.value, figure.reported, figure.expected);
    let mut say = |what: &str| text += &format!(" {what}");
    if let Some((number, weight)) = &figure.fraction {
        let basis = match figure.numerator_basis.as_deref() {
            Some("Counted") => String::new(),
            basis => format!(" {}", basis.unwrap_or("of no basis").to_lowercase()),
        };
        say(&format!("({number} over {weight}{basis})"));
    }
    figure.markers.iter().for_each(|marker| say(&format!("[{marker}]")));
    for (count, what) in [(figure.late, "late"), (figure.not_available, "not available"), (figure.imputed, "imputed")] {
        if count > 0 {
            say(&format!("{count} {what}"));
        }
    }
    if let Some(as_at) = &figure.as_at {
        say(&format!("as at {as_at}"));
    }
    if figure.sample {
        say("sample");
    }
    if !figure.complete {
        say("partial");
    }
    text
}

fn change_line(change: &CanonicalChange) -> String {
    let from = change.from.as_ref().map_or("nothing".to_owned(), |(period, it)| format!("{} in {period}", it.value));
    let mut text = format!("from {from}:");
    let mut say = |what: String| text += &format!(" {what}");
    if let Some(difference) = &change.difference {
        say(format!("{difference}{}", if change.unit == "PercentagePoints" { " points" } else { "" }));
    }
    if let Some(percent) = &change.percent {
        say(format!("{percent}%"));
    }
    change.gap.iter().for_each(|gap| say(gap.clone()));
    if change.partial {
        say("partial".to_owned());
    }
    text
}
