//! What the protos say.

use prost_reflect::FileDescriptor;

/// The package of the served services.
pub(crate) const PACKAGE: &str = "conspectus.v1";

/// What the proto says of an element, by its path in the file.
pub(crate) fn comment(file: &FileDescriptor, path: &[i32]) -> String {
    let locations = file.file_descriptor_proto().source_code_info.as_ref().map(|info| &*info.location);
    let location = locations.unwrap_or_default().iter().find(|location| location.path == path);
    let text = location.and_then(|location| location.leading_comments.as_deref()).unwrap_or_default();
    text.lines().map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end()).collect::<Vec<_>>().join("\n")
}
