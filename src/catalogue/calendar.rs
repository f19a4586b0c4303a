//! Calendars: which days aren't working days, so that what is due on one of them is due on the next that is.

use serde::{Deserialize, Serialize};

use crate::model::date::Date;
use crate::model::id::CalendarId;

/// The holidays of a place, besides Saturdays and Sundays.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Calendar {
    /// Its id.
    pub id: CalendarId,
    /// Its title, as shown.
    pub title: String,
    /// Where the days come from.
    #[serde(default)]
    pub source: String,
    /// The holidays, in order, each once. After the last of them only Saturdays and Sundays are known.
    pub holidays: Vec<Date>,
}

impl Calendar {
    /// Whether offices are open on a day.
    fn is_working_day(&self, day: Date) -> bool {
        const FRIDAY: u8 = 5;
        day.weekday() <= FRIDAY && self.holidays.binary_search(&day).is_err()
    }

    /// The day itself if it is a working day, or else the next one; the last day that there is, where none comes.
    pub(crate) fn working_day_from(&self, day: Date) -> Date {
        let mut day = day;
        while !self.is_working_day(day) && day < Date::MAX {
            day = day.plus_days(1);
        }
        day
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_that_is_no_working_day_moves_to_the_next_one() {
        let holidays = ["2021-12-27", "2021-12-28", "2022-01-03"].map(|day| day.parse().unwrap());
        let calendar = Calendar {
            id: "england-and-wales".parse().unwrap(),
            title: "England and Wales".to_owned(),
            source: String::new(),
            holidays: holidays.into(),
        };
        for (day, expect) in [
            // A Friday, the Saturday after it, and Christmas Day, a Saturday whose substitute is the Monday.
            ("2021-12-24", "2021-12-24"),
            ("2021-12-18", "2021-12-20"),
            ("2021-12-25", "2021-12-29"),
            ("2021-12-28", "2021-12-29"),
            ("2022-01-01", "2022-01-04"),
        ] {
            assert_eq!(calendar.working_day_from(day.parse().unwrap()), expect.parse().unwrap(), "{day}");
        }
        let last = Calendar { holidays: vec![Date::MAX], ..calendar };
        assert_eq!(last.working_day_from(Date::MAX), Date::MAX, "no working day comes after it");
    }
}
