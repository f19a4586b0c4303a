//! The fingerprint of a submission: what a retry is recognised by.

use std::fmt::Display;
use std::io::Write;

use crate::model::submission::Submission;

/// 16 bytes of BLAKE3 over what a submission says. The same for the same content in the same
/// order, whatever notation its periods came in, and in every version of this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub(crate) [u8; 16]);

impl Fingerprint {
    /// The fingerprint of a submission. The request id is not part of it.
    pub fn of(submission: &Submission) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("conspectus submission fingerprint v1");
        let mut frames = Frames::default();
        frames.push(&submission.agency);
        frames.push(&submission.source);
        frames.push(if submission.sample { "sample" } else { "" });
        let table = &submission.observations;
        let dictionaries = table.dictionaries();
        let indicators = framed(&dictionaries.indicators);
        let areas = framed(&dictionaries.areas);
        let periods = framed(&dictionaries.periods);
        let breakdowns = framed(&dictionaries.breakdowns);
        let mut notes = table.notes().iter().peekable();
        for (line, index) in table.lines().iter().zip(0..) {
            frames.0.extend_from_slice(&indicators[line.indicator as usize]);
            frames.0.extend_from_slice(&areas[line.area as usize]);
            frames.0.extend_from_slice(&periods[line.period as usize]);
            frames.0.extend_from_slice(&breakdowns[line.breakdown as usize]);
            frames.push(line.value);
            frames.push(line.value.measure.map_or("none", |measure| measure.form().text()));
            frames.push(notes.next_if(|(noted, _)| *noted == index).map_or("", |(_, note)| note));
            if frames.0.len() >= HASHED_BYTES {
                hasher.update(&frames.0);
                frames.0.clear();
            }
        }
        hasher.update(&frames.0);
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(bytes)
    }
}

/// How much is hashed at once: enough for BLAKE3 to work on many blocks side by side.
const HASHED_BYTES: usize = 64 << 10;

/// Texts one after the other, each after its length as 8 bytes, big-endian.
#[derive(Default)]
struct Frames(Vec<u8>);

impl Frames {
    fn push(&mut self, text: impl Display) {
        const LENGTH_BYTES: usize = 8;
        let start = self.0.len();
        self.0.extend([0; LENGTH_BYTES]);
        write!(self.0, "{text}").expect("memory takes what is written");
        let length = (self.0.len() - start - LENGTH_BYTES) as u64;
        self.0[start..start + LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
    }
}

fn framed<T: Display>(items: &[T]) -> Vec<Vec<u8>> {
    let frame = |item| {
        let mut frames = Frames::default();
        frames.push(item);
        frames.0
    };
    items.iter().map(frame).collect()
}
