//! The frames that a backup is made of. Each is tied to all before it by its hash, so a file that reads to its last
//! frame is the one that was written, byte for byte.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | the frame's kind |
//! | 4 | the length of its content, at most [`CONTENT_BYTES_MAX`] |
//! | n | the content |
//! | 32 | the chain hash: of the one before, and the bytes above |
//!
//! Before the first frame stands [`MAGIC`]. All numbers are big-endian.

use std::io::{self, ErrorKind, Read, Write};

use crate::model::chain::{BACKUP_FRAMES, ChainHash};

/// The first bytes of a backup. The digit is the version of the format.
pub(super) const MAGIC: &[u8; 20] = b"conspectus backup 1\n";
/// The longest content: a record of the journal, and a question of the audit log with its name.
pub(super) const CONTENT_BYTES_MAX: usize = (1 << 20) + (1 << 10);

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The manifest: always the first.
    Manifest = 1,
    /// A record of the journal.
    Record = 2,
    /// Whole lines of the audit log.
    AuditLines = 3,
    /// A question of the audit log.
    Question = 4,
    /// What there was in all: always the last.
    End = 5,
}

impl Kind {
    fn of(byte: u8) -> Option<Self> {
        [Self::Manifest, Self::Record, Self::AuditLines, Self::Question, Self::End]
            .into_iter()
            .find(|kind| *kind as u8 == byte)
    }
}

/// Writes frames.
pub(super) struct FrameWriter<W> {
    out: W,
    hash: ChainHash,
    bytes: u64,
}

impl<W: Write> FrameWriter<W> {
    pub(super) fn begin(mut out: W) -> io::Result<Self> {
        out.write_all(MAGIC)?;
        Ok(Self { out, hash: ChainHash::GENESIS, bytes: MAGIC.len() as u64 })
    }

    /// Writes a frame, whose content is of no more than [`CONTENT_BYTES_MAX`].
    pub(super) fn write(&mut self, kind: Kind, content: &[u8]) -> io::Result<()> {
        let length = u32::try_from(content.len()).ok().filter(|_| content.len() <= CONTENT_BYTES_MAX);
        let length = length.ok_or_else(|| io::Error::other("a frame's content is too long"))?.to_be_bytes();
        self.hash = next(self.hash, kind as u8, length, content);
        for part in [&[kind as u8][..], &length, content, &self.hash.0] {
            self.out.write_all(part)?;
            self.bytes += part.len() as u64;
        }
        Ok(())
    }

    /// The hash of what is written, how many bytes that is, and where they went.
    pub(super) fn end(self) -> (ChainHash, u64, W) {
        (self.hash, self.bytes, self.out)
    }
}

/// What is wrong with a backup, and where.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    /// It can't be read.
    #[error("it can't be read: {0}")]
    Io(io::Error),
    /// It isn't a backup, or of another version.
    #[error("it doesn't begin as a backup of version 1 does")]
    NotABackup,
    /// It isn't what was written.
    #[error("it is damaged in frame {frame}, which begins at byte {byte}: {what}")]
    Damaged {
        /// The frame, from 1.
        frame: u64,
        /// Where it begins, from 0.
        byte: u64,
        /// What is wrong.
        what: String,
    },
}

/// Reads frames.
pub(super) struct FrameReader<R> {
    from: R,
    hash: ChainHash,
    frame: u64,
    byte: u64,
    next_byte: u64,
}

impl<R: Read> FrameReader<R> {
    pub(super) fn begin(mut from: R) -> Result<Self, FrameError> {
        let mut magic = [0; MAGIC.len()];
        match from.read_exact(&mut magic) {
            Ok(()) if magic == *MAGIC => {
                let byte = MAGIC.len() as u64;
                Ok(Self { from, hash: ChainHash::GENESIS, frame: 0, byte, next_byte: byte })
            }
            Err(error) if error.kind() != ErrorKind::UnexpectedEof => Err(FrameError::Io(error)),
            Ok(()) | Err(_) => Err(FrameError::NotABackup),
        }
    }

    /// The hash of what was read.
    pub(super) fn hash(&self) -> ChainHash {
        self.hash
    }

    /// That the frame that was read last isn't what was written, though its hash is right.
    pub(super) fn damaged(&self, what: impl Into<String>) -> FrameError {
        FrameError::Damaged { frame: self.frame, byte: self.byte, what: what.into() }
    }

    /// The next frame, its hash checked.
    pub(super) fn next(&mut self) -> Result<(Kind, Vec<u8>), FrameError> {
        self.frame += 1;
        self.byte = self.next_byte;
        let mut head = [0; 5];
        self.fill(&mut head)?;
        let [kind, length @ ..] = head;
        let bytes = u32::from_be_bytes(length) as usize;
        if bytes > CONTENT_BYTES_MAX {
            return Err(self.damaged(format!("it says that it has {bytes} bytes; allowed: {CONTENT_BYTES_MAX}")));
        }
        let mut content = vec![0; bytes];
        self.fill(&mut content)?;
        let mut hash = [0; 32];
        self.fill(&mut hash)?;
        let expected = next(self.hash, kind, length, &content);
        if expected.0 != hash {
            return Err(self.damaged("its hash doesn't follow from it and the frames before"));
        }
        self.hash = expected;
        self.next_byte += (head.len() + content.len() + hash.len()) as u64;
        let known = Kind::of(kind).ok_or_else(|| self.damaged(format!("it is of the unknown kind {kind}")))?;
        Ok((known, content))
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), FrameError> {
        self.from.read_exact(bytes).map_err(|error| {
            if error.kind() == ErrorKind::UnexpectedEof {
                self.damaged("the file ends within it")
            } else {
                FrameError::Io(error)
            }
        })
    }

    /// Checks that nothing follows the last frame.
    pub(super) fn expect_end(&mut self) -> Result<(), FrameError> {
        match self.from.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(self.damaged("something follows it, though it is the last")),
            Err(error) => Err(FrameError::Io(error)),
        }
    }
}

fn next(hash: ChainHash, kind: u8, length: [u8; 4], content: &[u8]) -> ChainHash {
    BACKUP_FRAMES.next(hash, &[&[kind], &length, content])
}
