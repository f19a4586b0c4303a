//! From the template to the receipt: what the command line and the page share of submitting a file of figures.
//!
//! A `template` is a workbook with a row for each figure that is `expected`. A file is read as a `sheet` of the figures
//! that a `filter` takes, by the `selection`; one of more figures than a submission may have is cut into parts (`part`).
//! What the service `found` wrong is reported at the file's rows, of the figures that are right by themselves too
//! (`others`). A submission's id is derived from its content
//! (`request_id`); what it would change is put into words by `change` and `value`; what it did is counted (`counts`); and its receipt can be kept (`receipt_file`).
//!
//! It calls the service as any client does, over whatever carries the calls (`service`).

pub(crate) mod catalogue;
pub(crate) mod change;
mod counts;
pub(crate) mod expected;
pub(crate) mod figure_file;
pub(crate) mod filter;
mod found;
pub(crate) mod others;
pub(crate) mod part;
mod receipt_file;
pub(crate) mod request_id;
pub(crate) mod selection;
pub(crate) mod service;
mod sheet;
pub(crate) mod template;
pub(crate) mod value;

pub(crate) use counts::{Counts, standing};
pub(crate) use filter::CatalogueNames;
pub(crate) use found::Found;
pub(crate) use receipt_file::ReceiptFile;
pub(crate) use selection::Selection;
pub(crate) use sheet::Sheet;
