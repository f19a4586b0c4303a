//! A file of comma-separated values, as RFC 4180 has it, in UTF-8, sent as its rows come.
//!
//! A file that can't be sent to its end must not look like one that was: it is broken off, so that the connection ends
//! without the end of the answer, which every client reports.

use bytes::{BufMut as _, Bytes, BytesMut};
use csv::{Terminator, WriterBuilder};
use futures_util::Stream;
use futures_util::stream::try_unfold;
use tonic::Status;

use super::pages::Pages;
use super::question::Rows;
use crate::tables::Cell;

/// From how many bytes on what is written is sent.
const CHUNK_BYTES: usize = 32 << 10;
/// By which Excel, opening a file by double click, knows UTF-8. Others take it for a part of the first heading, so it is
/// only there if it is asked for.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// The file, in chunks.
pub(super) fn stream(
    table: Box<dyn Rows>,
    pages: Pages,
    has_bom: bool,
) -> impl Stream<Item = Result<Bytes, Status>> + Send {
    let head = table.headings();
    try_unfold((table, pages, Some(head)), move |(table, mut pages, head)| async move {
        let mut chunk = BytesMut::new();
        if let Some(head) = head {
            if has_bom {
                chunk.put_slice(BOM);
            }
            chunk.put_slice(&lines([head])?);
        }
        while chunk.len() < CHUNK_BYTES {
            let Some(item) = pages.next_item().await? else { break };
            let rows = table.rows(&item)?.into_iter();
            chunk.put_slice(&lines(rows.map(|cells| cells.into_iter().map(Cell::into_field).collect()))?);
        }
        Ok((!chunk.is_empty()).then(|| (chunk.freeze(), (table, pages, None))))
    })
}

/// Rows as lines.
fn lines(rows: impl IntoIterator<Item = Vec<String>>) -> Result<Vec<u8>, Status> {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    for row in rows {
        writer.write_record(row).map_err(|error| Status::internal(error.to_string()))?;
    }
    writer.into_inner().map_err(|error| Status::internal(error.to_string()))
}
