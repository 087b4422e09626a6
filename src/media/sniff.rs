//! What a file is, by its first bytes and never by its name.

use image::ImageFormat;

use super::BadPicture;

/// Kinds of pictures that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Jpeg,
    Png,
    Gif,
    Webp,
}

impl Kind {
    pub(super) fn format(self) -> ImageFormat {
        match self {
            Self::Jpeg => ImageFormat::Jpeg,
            Self::Png => ImageFormat::Png,
            Self::Gif => ImageFormat::Gif,
            Self::Webp => ImageFormat::WebP,
        }
    }
}

/// Bytes at the beginning in which a drawing's or a page's first tag is looked for.
const HEAD_BYTES: usize = 1_024;

pub(super) fn kind(bytes: &[u8]) -> Result<Kind, BadPicture> {
    let at = |start: usize, magic: &[u8]| bytes.get(start..start + magic.len()) == Some(magic);
    if at(0, b"\xff\xd8\xff") {
        return Ok(Kind::Jpeg);
    }
    if at(0, b"\x89PNG\r\n\x1a\n") {
        return Ok(Kind::Png);
    }
    if at(0, b"GIF87a") || at(0, b"GIF89a") {
        return Ok(Kind::Gif);
    }
    if at(0, b"RIFF") && at(8, b"WEBP") {
        return Ok(Kind::Webp);
    }
    let others: [(usize, &[u8], &'static str); 9] = [
        (4, b"ftypavif", "an AVIF picture"),
        (4, b"ftyphei", "a HEIC picture, as phones take them"),
        (4, b"ftypmif1", "a HEIC picture, as phones take them"),
        (4, b"ftyp", "a film"),
        (0, b"II*\0", "a TIFF picture"),
        (0, b"MM\0*", "a TIFF picture"),
        (0, b"BM", "a BMP picture"),
        (0, b"%PDF", "a PDF document"),
        (0, b"PK\x03\x04", "a ZIP archive or an office document"),
    ];
    if let Some((_, _, name)) = others.iter().find(|(start, magic, _)| at(*start, magic)) {
        return Err(BadPicture::OtherKind(name));
    }
    Err(markup(bytes))
}

fn markup(bytes: &[u8]) -> BadPicture {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(HEAD_BYTES)]).to_ascii_lowercase();
    let is_markup = head.trim_start_matches('\u{feff}').trim_start().starts_with('<');
    match () {
        () if is_markup && head.contains("<svg") => BadPicture::Svg,
        () if is_markup && (head.contains("<html") || head.contains("<!doctype html")) => {
            BadPicture::OtherKind("a web page")
        }
        () => BadPicture::Unknown,
    }
}
