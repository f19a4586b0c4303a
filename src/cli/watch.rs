//! `conspectus watch`: a picture now, and each change of it.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Parser;
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt;

use super::common_args::Hierarchy;
use super::connect::{Server, refusal, response};
use super::failure::Failure;
use super::format::json_line;
use super::legend::Legend;
use super::printout::Printout;
use super::{output, picture};
use crate::model::text::visible;
use crate::rpc::Reason;
use crate::rpc::proto::{Figure, GetPictureRequest, Kind, PictureRow, WatchPictureRequest, WatchPictureResponse};
use crate::wording::figure::coverage;

/// Show the picture of an area and a period, then each change of it, until Ctrl-C.
///
/// If the connection breaks, it connects again and continues after the last change that it showed.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  conspectus watch E10000014 FY2021-22 --indicator missing-episodes")]
pub(super) struct Args {
    #[command(flatten)]
    server: Server,
    /// The area's code, such as E10000014.
    area: String,
    /// The period.
    period: String,
    /// Only these indicators, by id.
    #[arg(short = 'i', long, value_delimiter = ',')]
    indicator: Vec<String>,
    #[command(flatten)]
    hierarchy: Hierarchy,
    /// Start with the first change after this revision, instead of the picture.
    #[arg(long, value_name = "REVISION", default_value_t = 0)]
    after: i64,
    /// End after this many messages: the picture is one, each change another.
    #[arg(long, value_name = "MESSAGES")]
    count: Option<u64>,
    /// Print each message as a JSON object on a line of its own.
    #[arg(long)]
    json: bool,
}

/// The wait before it connects again: doubled each time, up to the longest.
const RECONNECT_FIRST: Duration = Duration::from_millis(250);
const RECONNECT_LONGEST: Duration = Duration::from_secs(15);

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    tokio::select! {
        ended = watch(args) => ended,
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    }
}

async fn watch(args: Args) -> Result<(), Failure> {
    let picture = GetPictureRequest {
        area: args.area,
        period: args.period,
        indicators: args.indicator,
        areas_as_of: args.hierarchy.code(),
        ..GetPictureRequest::default()
    };
    let mut request = WatchPictureRequest { picture: Some(picture), after_revision: args.after, after_time: None };
    let mut left = args.count.unwrap_or(u64::MAX);
    let mut screen = Screen::default();
    let mut stream = open(&args.server, &request).await?;
    if args.after > 0 && !args.json {
        screen = Screen::as_of(&args.server, &request).await?;
    }
    while left > 0 {
        match stream.message().await {
            Ok(Some(message)) => {
                (request.after_revision, request.after_time) = (message.revision, message.as_of);
                if args.json {
                    output::print_line(json_line(&message, "WatchPictureResponse")?)?;
                } else {
                    output::show(&screen.show(message))?;
                }
                left -= 1;
            }
            Err(status) if !may_resume(&status) => return Err(refusal(&status, str::to_owned)),
            Ok(None) | Err(_) => stream = reopen(&args.server, &request).await?,
        }
    }
    Ok(())
}

async fn open(server: &Server, request: &WatchPictureRequest) -> Result<Streaming<WatchPictureResponse>, Failure> {
    let mut client = server.watched_pictures().await?;
    let answer = client.watch_picture(request.clone()).await.map_err(|status| refusal(&status, str::to_owned))?;
    Ok(answer.into_inner())
}

/// Tries until the server answers again. A refusal then is a failure.
async fn reopen(server: &Server, request: &WatchPictureRequest) -> Result<Streaming<WatchPictureResponse>, Failure> {
    reconnecting(request.after_revision);
    let mut wait = RECONNECT_FIRST;
    loop {
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(RECONNECT_LONGEST);
        let Ok(mut client) = server.watched_pictures().await else { continue };
        match client.watch_picture(request.clone()).await {
            Ok(answer) => return Ok(answer.into_inner()),
            Err(status) if may_resume(&status) => {}
            Err(status) => return Err(refusal(&status, str::to_owned)),
        }
    }
}

/// Says that a connection is made again.
pub(super) fn reconnecting(after: i64) {
    output::note(format_args!(
        "conspectus: the connection broke; connecting again, to continue after revision {after}"
    ));
}

/// Whether a stream that ended may be resumed: the server stops or starts, the reader was too slow, or
/// the connection broke, and then there is no reason from the server.
pub(super) fn may_resume(status: &Status) -> bool {
    match status.get_details_error_info() {
        Some(info) => status.code() == Code::Unavailable || info.reason == Reason::WatchTooSlow.text(),
        None => matches!(
            status.code(),
            Code::Unavailable | Code::Unknown | Code::Internal | Code::Cancelled | Code::DeadlineExceeded
        ),
    }
}

/// The rows that are on the screen, by indicator.
#[derive(Debug, Default)]
struct Screen(BTreeMap<String, PictureRow>);

impl Screen {
    /// The rows as of the revision that a watch resumes after, to show what each changed figure was.
    async fn as_of(server: &Server, request: &WatchPictureRequest) -> Result<Self, Failure> {
        let picture = request.picture.clone().unwrap_or_default();
        let mut client = server.pictures().await?;
        let request = GetPictureRequest { as_of_revision: request.after_revision, ..picture };
        let answer = response(client.get_picture(request).await)?;
        Ok(Self(answer.rows.into_iter().map(|row| (id(&row), row)).collect()))
    }

    /// The text of a message, whose rows are then on the screen.
    fn show(&mut self, message: WatchPictureResponse) -> Printout {
        let WatchPictureResponse { revision, area, period, snapshot, rows, removed_indicators, .. } = message;
        if snapshot {
            let picture = picture::rows(&area, &area, &period, revision, &rows);
            self.0 = rows.into_iter().map(|row| (id(&row), row)).collect();
            return picture.text("\n");
        }
        let mut lines = Vec::new();
        for indicator in removed_indicators {
            self.0.remove(&indicator);
            lines.push(format!("{indicator}: removed"));
        }
        for row in rows {
            let before = self.0.insert(id(&row), row.clone()).unwrap_or_default();
            lines.extend(changes(&area, &before, &row));
        }
        lines.iter().map(|line| format!("revision {revision}  {}\n", visible(line))).collect::<String>().into()
    }
}

fn id(row: &PictureRow) -> String {
    row.indicator.clone().unwrap_or_default().id
}

/// Stands where an agency's id does: an id has no spaces.
const COMBINED: &str = "combined figure";

/// What changed in a row: a line for each agency whose figure did, and one for the combined figure.
fn changes(area: &str, before: &PictureRow, row: &PictureRow) -> Vec<String> {
    let kind = row.indicator.clone().unwrap_or_default().kind();
    let figures = |row: &PictureRow| -> Vec<(String, Figure)> {
        let of = |cell: &crate::rpc::proto::PictureCell| {
            (cell.agency.clone().unwrap_or_default().id, cell.figure.clone().unwrap_or_default())
        };
        let combined = (COMBINED.to_owned(), row.combined.clone().unwrap_or_default());
        row.cells.iter().map(of).chain([combined]).collect()
    };
    let before: BTreeMap<String, Figure> = figures(before).into_iter().collect();
    let one_agency = row.cells.len() == 1;
    let mut lines = Vec::new();
    for (who, figure) in figures(row) {
        let was = before.get(&who).cloned().unwrap_or_default();
        if figure == was || (one_agency && who == COMBINED) {
            continue;
        }
        let (now, was) = (one_line(area, &figure, kind), one_line(area, &was, kind));
        let text =
            if now == was { format!("{now}; its coverage or checks changed") } else { format!("{now}, was {was}") };
        lines.push(format!("{}, {who}: {text}", id(row)));
    }
    if lines.is_empty() {
        lines.push(format!("{}: its definition, or what it is compared with, changed", id(row)));
    }
    lines
}

/// A figure on one line: its value, what stands beside it, and how many reported.
fn one_line(area: &str, figure: &Figure, kind: Kind) -> String {
    let mut legend = Legend::default();
    legend.of_area(area);
    let value = legend.value(figure, kind);
    let value = if value.is_empty() { "no value".to_owned() } else { value };
    let parts = [value, legend.flags(figure)];
    let mut text = parts.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(" ");
    let reported = coverage(figure.coverage.as_ref());
    if !reported.is_empty() {
        text.push_str(&format!(" ({reported})"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::proto::{Agency, Coverage, Gap, Indicator, PictureCell};

    fn row(value: Option<&str>, reported: i64) -> PictureRow {
        let figure = Figure {
            value: value.map(str::to_owned),
            gap: if value.is_some() { Gap::Unspecified } else { Gap::NotReported }.into(),
            coverage: Some(Coverage { expected: 2, reported, complete: reported == 2, ..Coverage::default() }),
            ..Figure::default()
        };
        let cell = |id: &str, figure: &Figure| PictureCell {
            agency: Some(Agency { id: id.to_owned(), ..Agency::default() }),
            figure: Some(figure.clone()),
            change: None,
        };
        PictureRow {
            indicator: Some(Indicator { id: "contacts".to_owned(), ..Indicator::default() }),
            cells: vec![cell("a", &figure), cell("b", &Figure::default())],
            combined: Some(figure),
            change: None,
        }
    }

    #[test]
    fn a_change_names_the_agency_and_shows_the_figure_before_and_after() {
        let mut screen = Screen::default();
        let message = |revision, snapshot, rows| WatchPictureResponse {
            revision,
            snapshot,
            rows,
            ..WatchPictureResponse::default()
        };
        screen.show(message(1, true, vec![row(None, 0)]));
        let mut text = screen.show(message(2, false, vec![row(Some("1200"), 1)])).to_string();
        text.push_str(&screen.show(message(3, false, vec![row(Some("1250"), 2)])).to_string());
        text.push_str(&screen.show(message(4, false, vec![row(Some("1250"), 2)])).to_string());
        let gone = WatchPictureResponse {
            revision: 5,
            removed_indicators: vec!["contacts".to_owned()],
            ..WatchPictureResponse::default()
        };
        text.push_str(&screen.show(gone).to_string());
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_stream_resumes_unless_the_server_refused_it() {
        for (code, resumes) in [
            (Code::Unavailable, true),
            (Code::Unknown, true),
            (Code::InvalidArgument, false),
            (Code::ResourceExhausted, false),
            (Code::Unimplemented, false),
        ] {
            assert_eq!(may_resume(&Status::new(code, "")), resumes, "{code:?}");
        }
    }
}
