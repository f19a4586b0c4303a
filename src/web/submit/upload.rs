//! A form with a file, as a browser sends it: received within bounds of bytes and time, and then taken apart.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, FromRequest as _, Multipart, Request};
use axum::http::header;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body_util::BodyExt as _;

use crate::model::text::visible;

/// The most bytes of a file. A workbook of 10,000 figures has a tenth of that.
pub(super) const UPLOAD_BYTES_MAX: usize = 8 << 20;
/// The most bytes of a form: a file as base64, which has four bytes for three, and the other fields.
const FORM_BYTES_MAX: usize = UPLOAD_BYTES_MAX / 3 * 4 + (1 << 20);
/// Of a form that is too large, so much is received and dropped: a browser reads no answer before it has sent all.
const DROPPED_BYTES_MAX: usize = 64 << 20;
/// How long a form may take to come.
pub(super) const UPLOAD_TIMEOUT: Duration = Duration::from_secs(60);
/// The most fields of a form besides the explanations, and the most bytes of each text.
const FIELDS_MAX: usize = 500;
const TEXT_BYTES_MAX: usize = 256 << 10;
/// The most characters of a file's name that are kept.
const NAME_CHARACTERS_MAX: usize = 200;

/// Fields of a form: the file, and the texts by their names.
#[derive(Debug, Default)]
pub(super) struct Upload {
    /// The file's name, without folders.
    pub(super) file_name: String,
    pub(super) file: Bytes,
    /// The mapping that was chosen with it; empty for none.
    pub(super) mapping: String,
    texts: Vec<(String, String)>,
}

/// Why a form can't be taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// It has too many bytes.
    #[error(
        "The file has more than {} MiB, which is the most that this page takes. A file of figures alone is smaller; a large \
         one can be sent from the command line: conspectus submit FILE --agency AGENCY",
        UPLOAD_BYTES_MAX >> 20
    )]
    TooLarge,
    /// It didn't come in time.
    #[error("The file took longer than {} seconds to arrive. Send it again, over a faster connection", .0.as_secs())]
    TooSlow(Duration),
    /// It isn't such a form.
    #[error("The form can't be read: {0}. Go back, reload the page and send it again")]
    Malformed(String),
}

impl Upload {
    /// Receives a form.
    ///
    /// # Errors
    /// When it is too large, too slow, or no form.
    pub(super) async fn receive(request: Request, within: Duration) -> Result<Self, Refused> {
        let (head, body) = request.into_parts();
        let length = head.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        if length.is_some_and(|length: usize| length > DROPPED_BYTES_MAX) {
            return Err(Refused::TooLarge);
        }
        let bytes = tokio::time::timeout(within, collect(body)).await.map_err(|_| Refused::TooSlow(within))??;
        Self::parse(Request::from_parts(head, Body::from(bytes))).await
    }

    async fn parse(mut request: Request) -> Result<Self, Refused> {
        let malformed = |error: &dyn std::fmt::Display| Refused::Malformed(error.to_string());
        // All of it is here already.
        DefaultBodyLimit::disable().apply(&mut request);
        let form = Multipart::from_request(request, &()).await;
        let mut form = form.map_err(|error| malformed(&error.body_text()))?;
        let mut upload = Self::default();
        let mut fields = 0;
        while let Some(field) = form.next_field().await.map_err(|error| malformed(&error.body_text()))? {
            fields += 1;
            if fields > FIELDS_MAX {
                return Err(malformed(&format_args!("it has more than {FIELDS_MAX} fields")));
            }
            let name = field.name().unwrap_or_default().to_owned();
            let file_name = field.file_name().map(own_name);
            let bytes = field.bytes().await.map_err(|error| malformed(&error.body_text()))?;
            let bytes_max = if name == "file" { UPLOAD_BYTES_MAX } else { FORM_BYTES_MAX };
            if bytes.len() > bytes_max {
                return Err(Refused::TooLarge);
            }
            upload.take(&name, file_name, bytes)?;
        }
        Ok(upload)
    }

    fn take(&mut self, name: &str, file_name: Option<String>, bytes: Bytes) -> Result<(), Refused> {
        let malformed = |what: &str| Refused::Malformed(format!("{what} in the field {}", visible(name)));
        match (name, file_name) {
            // A browser sends one that wasn't chosen without a name.
            ("file", Some(file_name)) => (self.file_name, self.file) = (file_name, bytes),
            ("file_again", None) => {
                let file = URL_SAFE_NO_PAD.decode(&bytes).map_err(|_| malformed("no base64"))?;
                if file.len() > UPLOAD_BYTES_MAX {
                    return Err(Refused::TooLarge);
                }
                self.file = file.into();
            }
            (name, file_name) => {
                if bytes.len() > TEXT_BYTES_MAX {
                    return Err(malformed("too long a text"));
                }
                let text = String::from_utf8(bytes.into()).map_err(|_| malformed("no text in UTF-8"))?;
                match (name, file_name) {
                    ("mapping", Some(_)) => self.mapping = text,
                    ("mapping_again", None) if self.mapping.is_empty() => self.mapping = text,
                    ("file_name", None) => self.file_name = shown_name(&text),
                    (name, _) => self.texts.push((name.to_owned(), text)),
                }
            }
        }
        Ok(())
    }

    /// The text of a field, without spaces around it; empty if it isn't there.
    pub(super) fn text(&self, name: &str) -> &str {
        self.texts.iter().find(|(given, _)| given == name).map(|(_, text)| text.trim()).unwrap_or_default()
    }

    /// Whether a box is ticked.
    pub(super) fn is_ticked(&self, name: &str) -> bool {
        !self.text(name).is_empty()
    }

    /// The file as a field of the next form.
    pub(super) fn file_again(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.file)
    }
}

/// The bytes of a body, as far as they are bounded.
async fn collect(mut body: Body) -> Result<Bytes, Refused> {
    let (mut bytes, mut received) = (Vec::new(), 0_usize);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Refused::Malformed(error.to_string()))?;
        let Ok(data) = frame.into_data() else { continue };
        received = received.saturating_add(data.len());
        if received > DROPPED_BYTES_MAX {
            return Err(Refused::TooLarge);
        }
        if received <= FORM_BYTES_MAX {
            bytes.extend_from_slice(&data);
        } else {
            bytes = Vec::new();
        }
    }
    if received > FORM_BYTES_MAX { Err(Refused::TooLarge) } else { Ok(bytes.into()) }
}

/// A file's name without the folders that it is in.
fn own_name(name: &str) -> String {
    shown_name(name.rsplit(['/', '\\']).next().unwrap_or_default())
}

/// As much of a name as is kept, and can be seen.
fn shown_name(name: &str) -> String {
    visible(name).chars().take(NAME_CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use tokio_stream::StreamExt as _;

    use super::*;

    fn request(body: Body) -> Request {
        let form = Request::builder().header(header::CONTENT_TYPE, "multipart/form-data; boundary=X");
        form.body(body).unwrap()
    }

    fn field(head: &str, value: &str) -> String {
        format!("--X\r\ncontent-disposition: form-data; {head}\r\n\r\n{value}\r\n")
    }

    #[tokio::test]
    async fn a_file_is_named_without_its_folders_and_comes_back_from_the_next_form() {
        let form = |fields: String| request(Body::from(fields + "--X--\r\n"));
        for (name, own) in [
            ("figures.csv", "figures.csv"),
            ("C:\\Users\\me\\figures.csv", "figures.csv"),
            ("../../etc/passwd", "passwd"),
            ("a\u{202e}vsc.exe", "a\\u{202e}vsc.exe"),
            ("..", ".."),
        ] {
            let fields =
                field(&format!("name=\"file\"; filename=\"{name}\""), "a,b\n") + &field("name=\"reason\"", " why ");
            let upload = Upload::receive(form(fields), UPLOAD_TIMEOUT).await.unwrap();
            assert_eq!((upload.file_name.as_str(), &*upload.file, upload.text("reason")), (own, &b"a,b\n"[..], "why"));
            let again = field("name=\"file_again\"", &upload.file_again()) + &field("name=\"file_name\"", own);
            let again = Upload::receive(form(again), UPLOAD_TIMEOUT).await.unwrap();
            assert_eq!((again.file_name.as_str(), again.file), (own, upload.file));
        }
    }

    #[tokio::test]
    async fn what_is_no_form_is_refused_in_words() {
        for fields in [
            "nonsense".to_owned(),
            field("name=\"file_again\"", "=") + "--X--\r\n",
            field("name=\"reason\"", &"x".repeat(TEXT_BYTES_MAX + 1)) + "--X--\r\n",
            field("name=\"a\"", "").repeat(FIELDS_MAX + 1) + "--X--\r\n",
        ] {
            let refused = Upload::receive(request(Body::from(fields)), UPLOAD_TIMEOUT).await.unwrap_err();
            assert!(refused.to_string().starts_with("The form can't be read: "), "{refused}");
        }
    }

    #[tokio::test]
    async fn of_what_is_too_large_nothing_is_kept_and_what_says_so_is_not_received() {
        let mebibyte = Bytes::from(vec![b' '; 1 << 20]);
        for (mebibytes, received) in [(32, 32), (1_000, 65)] {
            let count = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
            let (counted, chunk) = (count.clone(), mebibyte.clone());
            let chunks = tokio_stream::iter(0..mebibytes).map(move |_| {
                counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                Ok::<_, Infallible>(chunk.clone())
            });
            let refused = Upload::receive(request(Body::from_stream(chunks)), UPLOAD_TIMEOUT).await;
            assert!(matches!(refused, Err(Refused::TooLarge)));
            assert_eq!(count.load(std::sync::atomic::Ordering::SeqCst), received);
        }
        let mut said = request(Body::from_stream(tokio_stream::pending::<Result<Bytes, Infallible>>()));
        said.headers_mut().insert(header::CONTENT_LENGTH, 104_857_600.into());
        assert!(matches!(Upload::receive(said, UPLOAD_TIMEOUT).await, Err(Refused::TooLarge)));
    }

    #[tokio::test]
    async fn what_doesnt_come_in_time_is_refused() {
        let never = request(Body::from_stream(tokio_stream::pending::<Result<Bytes, Infallible>>()));
        let refused = Upload::receive(never, Duration::from_millis(20)).await;
        assert!(matches!(refused, Err(Refused::TooSlow(_))));
    }
}
