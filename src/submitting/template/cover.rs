//! The first sheet: what to do, step by step, what the markers mean, and when the figures are due.

use std::collections::BTreeMap;

use rust_xlsxwriter::{Format, Workbook, Worksheet, XlsxError};

use super::content::Content;
use super::figures_sheet;
use super::sheet::{self, Looks, index};
use crate::catalogue::checks::Severity;
use crate::catalogue::items::Kind;
use crate::model::marker::Marker;
use crate::wording::count::counted;

/// How wide its columns are, in characters.
const WIDTHS: [u8; 3] = [14, 100, 26];
/// How many days on which figures are due are listed; those after them are counted.
const DUE_DAYS_SHOWN_MAX: usize = 36;

/// Writes the sheet.
pub(super) fn write(workbook: &mut Workbook, content: &Content<'_>, looks: &Looks) -> Result<(), XlsxError> {
    let sheet = workbook.add_worksheet().set_name("Start here")?;
    for (column, width) in WIDTHS.into_iter().enumerate() {
        sheet.set_column_width(index(column)?, width)?;
    }
    let name = if content.agency.name.is_empty() { &content.agency.id } else { &content.agency.name };
    let mut cover = Cover { sheet, looks, row: 0 };
    cover.line(&[format!("Figures to report: {name}")], &looks.title)?;
    cover.gap();
    cover.table(["", ""], &facts(content))?;
    cover.steps(&steps(content))?;
    cover.table(["Marker", "Meaning", "Stands"], &markers())?;
    cover.table(["Due", "Figures"], &due(content))?;
    sheet::protect(sheet);
    sheet::print_settings(sheet, &content.subject());
    Ok(())
}

/// A line of the steps: what to do, or the command that does it.
enum Step {
    Do(String),
    Command(String),
}

/// The sheet, written from its top to its bottom.
struct Cover<'a> {
    sheet: &'a mut Worksheet,
    looks: &'a Looks,
    row: usize,
}

impl Cover<'_> {
    fn line(&mut self, texts: &[impl AsRef<str>], look: &Format) -> Result<(), XlsxError> {
        sheet::write_row(self.sheet, self.row, texts, look)?;
        if self.row > 0 {
            sheet::fit_height(self.sheet, self.row, texts.iter().map(AsRef::as_ref).zip(WIDTHS))?;
        }
        self.row += 1;
        Ok(())
    }

    fn gap(&mut self) {
        self.row += 1;
    }

    fn table<const N: usize>(&mut self, headings: [&str; N], rows: &[[String; N]]) -> Result<(), XlsxError> {
        if headings.iter().any(|heading| !heading.is_empty()) {
            self.line(&headings, &self.looks.heading.clone())?;
        }
        for row in rows {
            self.line(row, &self.looks.text.clone())?;
        }
        self.gap();
        Ok(())
    }

    fn steps(&mut self, steps: &[Step]) -> Result<(), XlsxError> {
        self.line(&["Step", "What to do"], &self.looks.heading.clone())?;
        let mut number = 0;
        for step in steps {
            match step {
                Step::Do(text) => {
                    number += 1;
                    self.line(&[&number.to_string(), text], &self.looks.text.clone())?;
                }
                Step::Command(text) => {
                    self.sheet.write_string_with_format(index(self.row)?, 1, text, &self.looks.command)?;
                    self.row += 1;
                }
            }
        }
        self.gap();
        Ok(())
    }
}

fn facts(content: &Content<'_>) -> Vec<[String; 2]> {
    let count = counted(content.rows.len(), "row", "rows");
    let mut facts = vec![
        ["Agency".to_owned(), content.agency.id.clone()],
        ["Periods".to_owned(), content.periods.join(", ")],
        ["Figures".to_owned(), format!("{count}, on the sheet {}", figures_sheet::NAME)],
        ["Made".to_owned(), format!("{}, at revision {} of the server", content.made, content.revision)],
    ];
    facts.extend(content.earlier.note.iter().map(|note| ["Note".to_owned(), note.clone()]));
    facts
}

fn steps(content: &Content<'_>) -> Vec<Step> {
    let has = |kind| content.rows.iter().any(|row| row.definition.kind == kind);
    let checks = content.rows.iter().flat_map(|row| &row.definition.checks);
    let mut steps = vec![Step::Do(format!(
        "On the sheet {}, fill in the shaded cells. The others say what each row is of. The sheet Definitions says what is \
         counted, and what is allowed.",
        figures_sheet::NAME
    ))];
    if !content.earlier.is_empty() {
        steps.push(Step::Do(
            "For comparison, previous has what you reported for the period before, and year before what you reported for \
             the same period a year before."
                .to_owned(),
        ));
    }
    if has(Kind::Ratio) {
        steps.push(Step::Do(
            "For a percentage, fill in numerator and denominator, and leave value and base empty. If you only have the \
             printed percentage, write it in value (95.9, not 0.959), and what it is a percentage of in base."
                .to_owned(),
        ));
    }
    if has(Kind::Mean) {
        steps.push(Step::Do("For a mean, write it in value, and in count how many values it is of.".to_owned()));
    }
    steps.push(Step::Do(
        "Where you have no figure, leave the number empty and choose a marker that says why. 0 says that you counted and \
         found none. An empty cell is never 0."
            .to_owned(),
    ));
    if checks.into_iter().any(|check| check.severity == Severity::Query) {
        steps.push(Step::Do(
            "Where a figure is unusual, the check in the next step says so. If it is right, say why in explanation: the answer is \
             kept and shown beside the figure."
                .to_owned(),
        ));
    }
    let submit = format!("conspectus submit {} --agency {}", argument(&content.file), content.agency.id);
    steps.extend([
        Step::Do("Save the file as a workbook (.xlsx), and check it. Nothing is stored yet.".to_owned()),
        Step::Command(format!("{submit} --dry-run")),
        Step::Do(
            "Every problem is listed at once, by row and column, with what would be accepted. Mend them, and check again. \
             Rows that are still empty are refused; --skip-empty leaves them out."
                .to_owned(),
        ),
        Step::Do("Submit. All of it is accepted, or nothing, and the receipt proves what was.".to_owned()),
        Step::Command(submit),
        Step::Do(
            "To correct figures later, change them here and submit the file again: the receipt says what it revised. To \
             report more, fill in more rows and do the same."
                .to_owned(),
        ),
    ]);
    steps
}

/// A file's name as an argument of a command.
fn argument(file: &str) -> String {
    if file.contains(char::is_whitespace) { format!("\"{file}\"") } else { file.to_owned() }
}

fn markers() -> Vec<[String; 3]> {
    let stands = |marker: Marker| if marker.is_absence() { "in the place of a number" } else { "beside a number" };
    let row = |marker: &Marker| [marker.to_string(), marker.meaning().to_owned(), stands(*marker).to_owned()];
    Marker::ALL.iter().map(row).collect()
}

/// How many figures are due on each day.
fn due(content: &Content<'_>) -> Vec<[String; 2]> {
    let mut days: BTreeMap<&str, usize> = BTreeMap::new();
    for row in content.rows {
        *days.entry(&row.due).or_default() += 1;
    }
    let shown = days.iter().take(DUE_DAYS_SHOWN_MAX).map(|(day, count)| [(*day).to_owned(), count.to_string()]);
    let later: usize = days.values().skip(DUE_DAYS_SHOWN_MAX).sum();
    let later = (later > 0).then(|| ["later".to_owned(), later.to_string()]);
    shown.chain(later).collect()
}
