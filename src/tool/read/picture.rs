//! A picture in the workspace, for models that see.

use super::ToolOutput;
use crate::message::Image;
use crate::policy::paths;
use crate::tool::{ToolError, World};
use crate::workspace::{Place, WorkspaceError};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::io::Read as _;

/// Largest picture, in bytes: in Base64 it must stay below the 5 MB that providers take.
const MAX_BYTES: u64 = 3_500_000;
/// Longest side of a PNG, in pixels; providers reject longer ones.
const MAX_SIDE: u32 = 8_000;

/// The picture at `place`; `None` when the file begins like none.
pub(super) fn look(world: &World, place: &Place) -> Result<Option<ToolOutput>, ToolError> {
    let path = place.as_str();
    let failed = |source| WorkspaceError::Io { path: path.to_owned(), source };
    let mut file = world.workspace.stream(place)?;
    let size = file.metadata().map_or(0, |metadata| metadata.len());
    let mut head = Vec::new();
    file.by_ref().take(32).read_to_end(&mut head).map_err(failed)?;
    let Some(media_type) = kind(&head) else { return Ok(None) };
    if paths::is_secret(path) {
        return Err(ToolError::Failed(format!("{path} is a place for secrets; no picture of it is shown")));
    }
    if size > MAX_BYTES {
        return Err(ToolError::Failed(format!(
            "{path} is a picture of {size} bytes; at most {MAX_BYTES} can be shown: make it smaller first"
        )));
    }
    let sides = (media_type == "image/png").then(|| png_sides(&head)).flatten();
    if let Some((width, height)) = sides.filter(|(width, height)| *width.max(height) > MAX_SIDE) {
        return Err(ToolError::Failed(format!(
            "{path} is a picture of {width}x{height} pixels; at most {MAX_SIDE} a side can be shown"
        )));
    }
    let mut bytes = head;
    file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(failed)?;
    let sides = sides.map_or_else(String::new, |(width, height)| format!(", {width}x{height}"));
    Ok(Some(ToolOutput {
        text: format!(
            "{path} is a picture ({media_type}{sides}, {size} bytes); it is shown to you if you can see"
        ),
        summary: format!("picture, {size} bytes"),
        images: vec![Image { media_type: media_type.into(), base64: STANDARD.encode(&bytes) }],
        ..ToolOutput::default()
    }))
}

/// What kind of picture begins like this: those that every provider takes.
fn kind(head: &[u8]) -> Option<&'static str> {
    match head {
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

/// Width and height of a PNG: they stand in its first chunk.
fn png_sides(head: &[u8]) -> Option<(u32, u32)> {
    let side = |at: usize| Some(u32::from_be_bytes(head.get(at..at + 4)?.try_into().ok()?));
    Some((side(16)?, side(20)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_pictures_by_how_they_begin() {
        assert_eq!(kind(b"\x89PNG\r\n\x1a\n...."), Some("image/png"));
        assert_eq!(kind(b"\xff\xd8\xff\xe0"), Some("image/jpeg"));
        assert_eq!(kind(b"RIFF\0\0\0\0WEBPVP8 "), Some("image/webp"));
        for other in [&b"GIF89a"[..], b"<svg", b"\x7fELF", b"", b"\x89PN"] {
            assert_eq!(kind(other), None);
        }
        let head = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x01\0\0\0\0\x10";
        assert_eq!(png_sides(head), Some((256, 16)));
        assert_eq!(png_sides(b"\x89PNG"), None);
    }
}
