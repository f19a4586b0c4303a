//! Names for ids: an area's name in the place of its code, an indicator's title in the place of its id, where only one
//! has it.

use std::collections::{BTreeMap, BTreeSet};

use super::field::{Field, normal};
use super::figure::Figure;
use super::reading::Reading;
use crate::model::id::IndicatorId;
use crate::model::nearest::nearest;
use crate::model::violation::{NO_SUCH, Quoted};

/// The ids of one kind of thing, and their names.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// By the id in lower case.
    ids: BTreeMap<String, String>,
    /// By the name in lower case; several may have one.
    named: BTreeMap<String, BTreeSet<String>>,
}

impl Names {
    /// The names of ids.
    pub(crate) fn of(names: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut all = Self::default();
        for (id, name) in names {
            all.named.entry(normal(&name)).or_default().insert(id.clone());
            all.ids.insert(id.to_lowercase(), id);
        }
        all
    }

    /// The id that a text stands for.
    ///
    /// # Errors
    /// What was found, and what is meant perhaps, where there is none or more than one.
    fn id(&self, text: &str, what: &str) -> Result<&str, String> {
        // An id is first what it is: a name that is another's id doesn't stand for it.
        if let Some(id) = self.ids.get(&text.to_lowercase()) {
            return Ok(id);
        }
        let ids: Vec<&String> = self.named.get(&normal(text)).into_iter().flatten().collect();
        match ids.as_slice() {
            [id] => Ok(id),
            [] => {
                let known = self.ids.keys().chain(self.named.keys()).map(String::as_str);
                let meant = nearest(&normal(text), known).map(|known| self.meant(known)).unwrap_or_default();
                Err(format!("found {}; {NO_SUCH} {what} in the catalogue{meant}", Quoted(text)))
            }
            several => {
                let several: Vec<&str> = several.iter().map(|id| id.as_str()).collect();
                Err(format!(
                    "found {}, the name of {}; write the one that is meant",
                    Quoted(text),
                    several.join(" and ")
                ))
            }
        }
    }

    fn meant(&self, known: &str) -> String {
        let id = self.ids.get(known).or_else(|| self.named.get(known)?.first());
        id.map(|id| format!("; did you mean `{id}`?")).unwrap_or_default()
    }
}

/// Whether a figure has something that isn't written as an id.
pub(crate) fn is_needed(Figure { observation, .. }: &Figure) -> bool {
    let is_ons_code = |code: &str| match code.as_bytes() {
        [first, rest @ ..] => first.is_ascii_uppercase() && rest.len() == 8 && rest.iter().all(u8::is_ascii_digit),
        [] => false,
    };
    !is_ons_code(&observation.area) || IndicatorId::parse(&observation.indicator).is_err()
}

impl Reading {
    /// Puts ids in the places of names in all figures. A text that stands for none, or for several, is a problem.
    pub(crate) fn take_names(&mut self, indicators: &Names, areas: &Names) {
        let mut figures = std::mem::take(&mut self.figures);
        for figure in &mut figures {
            for (field, refusal) in take_names(figure, indicators, areas) {
                let problem = self.problem(figure, Some(field), &refusal);
                self.problems.extend(problem);
                figure.unread.push(field);
            }
        }
        self.figures = figures;
    }
}

/// Puts ids in the places of names in a figure; the cells that stand for none, or for several, with what is wrong.
pub(crate) fn take_names(figure: &mut Figure, indicators: &Names, areas: &Names) -> Vec<(Field, String)> {
    let Figure { observation, unread, .. } = figure;
    let mut refused = Vec::new();
    let texts = [
        (Field::Indicator, &mut observation.indicator, indicators, "indicator"),
        (Field::Area, &mut observation.area, areas, "area"),
    ];
    for (field, text, names, what) in texts {
        // An empty text is the server's to refuse.
        if text.is_empty() || unread.contains(&field) {
            continue;
        }
        match names.id(text, what).map(str::to_owned) {
            Ok(id) => *text = id,
            Err(refusal) => refused.push((field, refusal)),
        }
    }
    refused
}

#[cfg(test)]
mod tests {
    use super::super::{Input, Layout, read_all};
    use super::*;

    fn names(all: &[(&str, &str)]) -> Names {
        Names::of(all.iter().map(|(id, name)| ((*id).to_owned(), (*name).to_owned())))
    }

    #[test]
    fn a_name_stands_for_the_only_id_that_has_it() {
        let indicators = names(&[("missing-episodes", "Missing episodes of children"), ("referrals", "Referrals")]);
        let areas = names(&[
            ("E06000044", "Portsmouth"),
            ("E07000001", "Newport"),
            ("E07000002", "Newport"),
            ("HIPS", "Hampshire and the Isle of Wight"),
        ]);
        let file = "indicator,area,period,value\n\
                    missing-episodes,E06000044,2021-04,1\n\
                    Missing Episodes of  Children,portsmouth,2021-04,2\n\
                    referrals,e06000044,2021-04,3\n\
                    referals,Newport,2021-04,4\n\
                    referrals,Portsmuoth,2021-04,5\n\
                    referrals,hips,2021-04,6\n\
                    Something else,,2021-04,7\n";
        let mut reading = read_all(&Input::of(file.as_bytes()), &Layout::default());
        assert!(reading.figures.iter().any(is_needed) && !is_needed(&reading.figures[0]));
        reading.take_names(&indicators, &areas);
        let figures = reading.figures.iter().map(|it| format!("{} {}", it.observation.indicator, it.observation.area));
        let problems = reading.problems.iter().map(ToString::to_string);
        insta::assert_snapshot!(figures.chain(problems).collect::<Vec<_>>().join("\n"));
    }
}
