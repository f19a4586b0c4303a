//! A question that a file answers: the message, the method that it is put to, and the table that its answer makes.
//!
//! What is kept of an answer are the bytes as the service sent them. From them the items are taken one by one, by the
//! descriptor of the method, whichever it is; so a table needs the type of an item alone.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use prost_reflect::{DynamicMessage, MethodDescriptor, ReflectMessage as _, Value};
use prost_types::Timestamp;
use tonic::Status;

use super::labels::Names;
use crate::model::protobuf::{Fields, Value as Field};
use crate::rpc;
use crate::tables::{AsOf, Cell, Labels, Table};

/// The most items of a page that every method with pages gives.
const PAGE_ITEMS: i32 = 1_000;

/// A question that a file answers.
#[derive(Clone)]
pub(crate) struct Question {
    /// What a file of it is called.
    name: &'static str,
    /// The method that answers it, by its path.
    method: &'static str,
    /// The field of the answer that has the items of the table; empty where the whole answer is one.
    items: &'static str,
    request: Vec<u8>,
    /// The answer, where it was put together of several before.
    answer: Option<Bytes>,
    names: Names,
    page_items: i32,
    is_of_a_revision: bool,
    table: TableOf,
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Makes the table of an answer: of its first page without items, and of what its ids stand for.
type TableOf = Arc<dyn Fn(&[u8], Labels, AsOf) -> Result<Box<dyn Rows>, Status> + Send + Sync>;

impl Question {
    /// A question to a method, given by its path and the field of its answer that has the items, and how a table is made of
    /// its answer.
    pub(crate) fn new<A, T>(
        name: &'static str,
        (method, items): (&'static str, &'static str),
        request: Vec<u8>,
        table: impl Fn(A, Labels, AsOf) -> T + Send + Sync + 'static,
    ) -> Self
    where
        A: Message + Default,
        T: Table<Item: Message + Default> + Send + 'static,
    {
        let table: TableOf = Arc::new(move |answer, labels, as_of| {
            let answer = A::decode(answer).map_err(|error| unreadable(&error))?;
            Ok(Box::new(table(answer, labels, as_of)))
        });
        let (answer, names, page_items, is_of_a_revision) = (None, Names::None, PAGE_ITEMS, true);
        Self { name, method, items, request, answer, names, page_items, is_of_a_revision, table }
    }

    /// With the names of what stands in the answer.
    #[must_use]
    pub(crate) fn with_names(self, names: Names) -> Self {
        Self { names, ..self }
    }

    /// In pages of so many items, where the method gives more than others.
    #[must_use]
    pub(super) fn in_pages_of(self, page_items: i32) -> Self {
        Self { page_items, ..self }
    }

    /// Whose answer changes although the revision and the day are the same.
    #[must_use]
    pub(crate) fn of_the_moment(self) -> Self {
        Self { is_of_a_revision: false, ..self }
    }

    /// With the answer, which was put together of several.
    #[must_use]
    pub(crate) fn answered(self, answer: &impl Message) -> Self {
        Self { answer: Some(answer.encode_to_vec().into()), ..self }
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn method(&self) -> &'static str {
        self.method
    }

    pub(super) fn request(&self) -> &[u8] {
        &self.request
    }

    pub(super) fn answer(&self) -> Option<&Bytes> {
        self.answer.as_ref()
    }

    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    /// Whether its answer is the same until the next revision or day.
    pub(super) fn is_of_a_revision(&self) -> bool {
        self.is_of_a_revision
    }

    /// The table of an answer.
    pub(super) fn table(&self, head: &Head, since: &Timestamp, labels: Labels) -> Result<Box<dyn Rows>, Status> {
        (self.table)(&head.answer, labels, AsOf { revision: head.revision, instant: Some(*since) })
    }

    /// The message of a page.
    pub(super) fn page(&self, page_token: String) -> Result<Vec<u8>, Status> {
        let page = [("page_size", Value::I32(self.page_items)), ("page_token", Value::String(page_token))];
        Ok(self.message(page)?.encode_to_vec())
    }

    /// The message with other values of some fields, of those that it has.
    pub(super) fn message<const N: usize>(&self, fields: [(&str, Value); N]) -> Result<DynamicMessage, Status> {
        let message = DynamicMessage::decode(self.descriptor()?.input(), &*self.request);
        let mut message = message.map_err(|error| unreadable(&error))?;
        for (name, value) in fields {
            if let Some(field) = message.descriptor().get_field_by_name(name) {
                message.set_field(&field, value);
            }
        }
        Ok(message)
    }

    /// The page that is in an answer.
    pub(super) fn read(&self, answer: &Bytes) -> Result<Page, Status> {
        let output = self.descriptor()?.output();
        let items = output.get_field_by_name(self.items).map(|field| field.number());
        let (rest, items) = match items {
            Some(number) => split(answer, number)?,
            None => (answer.to_vec(), vec![answer.clone()]),
        };
        let head = DynamicMessage::decode(output, &*rest).map_err(|error| unreadable(&error))?;
        let field = |name| head.get_field_by_name(name);
        let as_of = head.has_field_by_name("as_of").then(|| field("as_of")).flatten();
        let as_of = as_of.and_then(|as_of| as_of.as_message().and_then(|as_of| as_of.transcode_to().ok()));
        let next_page_token = field("next_page_token").and_then(|token| token.as_str().map(str::to_owned));
        let revision = field("revision").and_then(|revision| revision.as_i64()).unwrap_or_default();
        let head = Head { revision, as_of, answer: rest };
        Ok(Page { head, items, next_page_token: next_page_token.unwrap_or_default() })
    }

    /// The method.
    pub(super) fn descriptor(&self) -> Result<MethodDescriptor, Status> {
        rpc::method(self.method).ok_or_else(|| Status::internal(format!("there is no method {}", self.method)))
    }
}

/// A page of an answer, its items as they were sent.
pub(super) struct Page {
    pub(super) head: Head,
    pub(super) items: Vec<Bytes>,
    pub(super) next_page_token: String,
}

/// What an answer says besides its items.
#[derive(Debug, Clone, Default)]
pub(super) struct Head {
    pub(super) revision: i64,
    /// The instant that it is of, where it says so.
    pub(super) as_of: Option<Timestamp>,
    /// The message without them.
    pub(super) answer: Vec<u8>,
}

/// A message without a repeated field, and what that has.
fn split(message: &Bytes, number: u32) -> Result<(Vec<u8>, Vec<Bytes>), Status> {
    let (mut fields, mut rest, mut items) = (Fields::of(message), Vec::new(), Vec::new());
    loop {
        let before = fields.rest();
        let Some(field) = fields.next() else { return Ok((rest, items)) };
        match field.map_err(|error| unreadable(&error))? {
            (found, Field::Bytes(item)) if found == number => items.push(message.slice_ref(item)),
            _ => rest.extend_from_slice(&before[..before.len() - fields.rest().len()]),
        }
    }
}

/// The rows of a table, of the bytes of an answer's items.
pub(super) trait Rows: Send {
    fn title(&self) -> String;
    fn headings(&self) -> Vec<String>;
    fn rows(&self, item: &[u8]) -> Result<Vec<Vec<Cell>>, Status>;
}

impl<T: Table<Item: Message + Default> + Send> Rows for T {
    fn title(&self) -> String {
        Table::title(self)
    }

    fn headings(&self) -> Vec<String> {
        Table::headings(self)
    }

    fn rows(&self, item: &[u8]) -> Result<Vec<Vec<Cell>>, Status> {
        Ok(Table::rows(self, &T::Item::decode(item).map_err(|error| unreadable(&error))?))
    }
}

/// The service's own answer isn't what it should be.
fn unreadable(error: &impl fmt::Display) -> Status {
    Status::internal(format!("an answer can't be read: {error}"))
}
