//! `conspectus picture`: the multi-agency picture as a table.

use clap::Parser;

use super::common_args::{self, Format, Hierarchy};
use super::connect::{Server, response};
use super::failure::Failure;
use super::format::{json, table_csv};
use super::legend::Legend;
use super::printout::Printout;
use super::table::{Align, Cell, Table};
use crate::rpc::proto::{
    Change, Comparison, Figure, Gap, GetPictureRequest, GetPictureResponse, Indicator, PictureCell, PictureRow,
};
use crate::tables::{AsOf, PictureTable};
use crate::wording::figure::coverage;

/// Show the picture of an area and a period: every indicator by every agency, the combined figure,
/// and the change since the period before.
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  conspectus picture E10000014 FY2021-22\n  conspectus picture HIPS FY2021-22 --indicator initial-contacts,missing-episodes"
)]
pub(super) struct Args {
    #[command(flatten)]
    server: Server,
    /// The area's code, such as E10000014.
    area: String,
    /// The period: FY2021-22, 2021/22, "Apr-Jun 2021", 2022-06 and the like.
    period: String,
    /// Only these indicators, by id.
    #[arg(short = 'i', long, value_delimiter = ',')]
    indicator: Vec<String>,
    /// Compare with the same period a year before.
    #[arg(long)]
    year_before: bool,
    /// Compare with this earlier period.
    #[arg(long, conflicts_with = "year_before")]
    compare_with: Option<String>,
    #[command(flatten)]
    hierarchy: Hierarchy,
    #[command(flatten)]
    as_of: common_args::AsOf,
    #[command(flatten)]
    format: Format,
}

/// The picture of an area and a period, as a table.
pub(super) async fn show(server: &Server, area: &str, period: &str) -> Result<Printout, Failure> {
    let request =
        GetPictureRequest { area: area.to_owned(), period: period.to_owned(), ..GetPictureRequest::default() };
    let mut client = server.pictures().await?;
    Ok(table(&response(client.get_picture(request).await)?))
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let request = GetPictureRequest {
        area: args.area,
        period: args.period,
        indicators: args.indicator,
        comparison: if args.year_before { Comparison::YearBefore } else { Comparison::Unspecified }.into(),
        compare_with: args.compare_with.unwrap_or_default(),
        as_of_revision: args.as_of.revision,
        as_of_time: args.as_of.time,
        areas_as_of: args.hierarchy.code(),
        ..GetPictureRequest::default()
    };
    let mut client = args.server.pictures().await?;
    let answer = response(client.get_picture(request.clone()).await)?;
    args.format.print(
        || json(&answer, "GetPictureResponse"),
        || {
            let (area, period) = (answer.area.clone().unwrap_or_default(), answer.period.clone());
            let as_of = AsOf { revision: answer.revision, instant: answer.as_of };
            let table = PictureTable::new(request.comparison(), area, period, as_of);
            table_csv(&table, &answer.rows)
        },
        || table(&answer),
    )
}

fn table(picture: &GetPictureResponse) -> Printout {
    let area = picture.area.clone().unwrap_or_default();
    let name = format!("{} ({})", area.name, area.code);
    rows(&area.code, &name, &picture.period, picture.revision, &picture.rows)
}

/// The rows of the picture of an area, as a table under the area's name.
pub(super) fn rows(code: &str, area: &str, period: &str, revision: i64, rows: &[PictureRow]) -> Printout {
    let earlier = rows.iter().filter_map(|row| row.change.as_ref()).map(|change| change.from_period.clone()).next();
    let mut table = Table::new([
        ("indicator", Align::Wrap(38)),
        ("agency", Align::Wrap(34)),
        (period, Align::Right),
        ("", Align::Left),
        (&earlier.unwrap_or_default(), Align::Right),
        ("change", Align::Right),
        ("", Align::Right),
        ("reported", Align::Wrap(24)),
    ]);
    let mut legend = Legend::default();
    legend.of_area(code);
    for row in rows {
        push(&mut table, &mut legend, row);
    }
    if table.is_empty() {
        return format!("No figures are expected or submitted for {area} in {period}.\n").into();
    }
    let heading = format!("{area}, {period}, at revision {revision}\n\n");
    Printout::from(heading).table(table).text(legend.below())
}

/// One line for an indicator that only one agency reports; otherwise one for the combined figure and one for
/// each agency.
fn push(table: &mut Table, legend: &mut Legend, row: &PictureRow) {
    let indicator = row.indicator.clone().unwrap_or_default();
    let title = format!("{} ({})", indicator.title, indicator.unit);
    let combined = row.combined.clone().unwrap_or_default();
    let name = |cell: &PictureCell| cell.agency.clone().unwrap_or_default().name;
    if let [cell] = row.cells.as_slice()
        && combined.gap() != Gap::LeadNotReported
    {
        let figure = cell.figure.clone().unwrap_or_default();
        table.push(line(legend, &indicator, title, name(cell), &figure, cell.change.as_ref()));
        return;
    }
    let agencies = format!("{} agencies", row.cells.len());
    table.push(line(legend, &indicator, title, agencies, &combined, row.change.as_ref()));
    for cell in &row.cells {
        let figure = cell.figure.clone().unwrap_or_default();
        table.push(line(legend, &indicator, String::new(), format!("  {}", name(cell)), &figure, cell.change.as_ref()));
    }
}

fn line(
    legend: &mut Legend,
    indicator: &Indicator,
    title: String,
    agency: String,
    figure: &Figure,
    since: Option<&Change>,
) -> Vec<Cell> {
    let kind = indicator.kind();
    let value = legend.value(figure, kind);
    let flags = legend.flags_cell(figure);
    legend.discrepancies(&indicator.title, kind, figure);
    let earlier =
        since.and_then(|change| change.from.as_ref()).map(|from| legend.value(from, kind)).unwrap_or_default();
    let earlier = if earlier == value && figure.value.is_none() { String::new() } else { earlier };
    let (difference, percent) = legend.change(since);
    let before = [title, agency, value].map(Cell::from);
    let after = [earlier, difference, percent, coverage(figure.coverage.as_ref())].map(Cell::from);
    before.into_iter().chain([flags]).chain(after).collect()
}

#[cfg(test)]
mod tests {
    use super::super::printout::at_several_widths;
    use super::*;
    use crate::rpc::proto::{Agency, Coverage};

    #[test]
    fn a_picture_fits_the_terminal() {
        let figure = |value: &str, expected: i64| Figure {
            value: Some(value.to_owned()),
            coverage: Some(Coverage {
                expected,
                reported: 12,
                late: expected - 12,
                complete: expected == 12,
                ..Coverage::default()
            }),
            ..Figure::default()
        };
        let change = |from: &str, difference: &str, percent: &str| Change {
            from_period: "FY2020-21".to_owned(),
            from: Some(figure(from, 12)),
            difference: Some(difference.to_owned()),
            percent: Some(percent.to_owned()),
            ..Change::default()
        };
        let cell = |name: &str, figure: Figure, change: Change| PictureCell {
            agency: Some(Agency { name: name.to_owned(), ..Agency::default() }),
            figure: Some(figure),
            change: Some(change),
        };
        let indicator = |title: &str, unit: &str| {
            Some(Indicator { title: title.to_owned(), unit: unit.to_owned(), ..Indicator::default() })
        };
        let council = "Hampshire County Council Children's Services";
        let one = PictureRow {
            indicator: indicator("Initial contacts", "contacts"),
            cells: vec![cell(council, figure("153033", 12), change("126153", "26880", "21.3"))],
            combined: Some(figure("153033", 12)),
            change: Some(change("126153", "26880", "21.3")),
        };
        let two = PictureRow {
            indicator: indicator("Missing episodes of children", "episodes"),
            cells: vec![
                cell(council, figure("3335", 12), change("2440", "895", "36.7")),
                cell("Hampshire and Isle of Wight Constabulary", figure("3855", 14), change("2767", "1088", "39.3")),
            ],
            combined: Some(Figure { gap: Gap::SideBySide.into(), value: None, ..figure("", 26) }),
            change: None,
        };
        let picture = rows("E10000014", "Hampshire (E10000014)", "FY2021-22", 14, &[one, two]);
        insta::assert_snapshot!(at_several_widths(&picture));
    }
}
