//! Taking metadata out of files without touching a pixel, and finding files that end too soon.

use super::BadPicture;

fn cut_off(what: &str) -> BadPicture {
    BadPicture::Damaged(what.to_owned())
}

fn big_endian(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |number, byte| (number << 8) | usize::from(*byte))
}

/// A JPEG with its picture, its colour profile (APP2) and Adobe's mark (APP14, without which colours turn), nothing
/// else. ITU-T T.81 §B.1.1.
pub(super) fn jpeg(bytes: &[u8]) -> Result<Vec<u8>, BadPicture> {
    const START_OF_SCAN: u8 = 0xDA;
    const END: [u8; 2] = [0xFF, 0xD9];
    let mut out = bytes[..2].to_vec();
    let mut rest = &bytes[2..];
    loop {
        // Markers may be preceded by fill bytes.
        while rest.len() > 2 && rest[0] == 0xFF && rest[1] == 0xFF {
            rest = &rest[1..];
        }
        let [0xFF, marker, high, low, ..] = *rest else { return Err(cut_off("its head ends too soon")) };
        let length = 2 + big_endian(&[high, low]);
        let segment = rest.get(..length).ok_or_else(|| cut_off("its head ends too soon"))?;
        let is_profile = marker == 0xE2 && segment.get(4..15) == Some(b"ICC_PROFILE");
        let is_metadata = matches!(marker, 0xE1..=0xED | 0xEF | 0xFE) && !is_profile;
        if !is_metadata {
            out.extend_from_slice(segment);
        }
        rest = &rest[length..];
        if marker == START_OF_SCAN {
            break;
        }
    }
    // Within a scan FF is always followed by 00 or a restart marker, so FF D9 is the end.
    let end = rest.windows(2).position(|pair| pair == END).ok_or_else(|| cut_off("its end is missing"))?;
    out.extend_from_slice(&rest[..end + 2]);
    Ok(out)
}

/// A PNG with what its pixels and colours need. PNG third edition §11.
pub(super) fn png(bytes: &[u8]) -> Result<Vec<u8>, BadPicture> {
    const KEPT: [&[u8]; 10] =
        [b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP"];
    let mut out = bytes[..8].to_vec();
    let mut rest = &bytes[8..];
    loop {
        let length = big_endian(rest.get(..4).ok_or_else(|| cut_off("its end is missing"))?);
        let chunk = length.checked_add(12).and_then(|length| rest.get(..length));
        let chunk = chunk.ok_or_else(|| cut_off("its end is missing"))?;
        let name = &chunk[4..8];
        if name == b"acTL" {
            return Err(BadPicture::Animated("PNG"));
        }
        if KEPT.contains(&name) {
            out.extend_from_slice(chunk);
        }
        if name == b"IEND" {
            return Ok(out);
        }
        rest = &rest[chunk.len()..];
    }
}

/// A GIF without comments and without what programs wrote about themselves.
pub(super) struct Gif {
    pub(super) bytes: Vec<u8>,
    pub(super) frames: usize,
}

/// Reads a GIF block by block. GIF89a §§17 to 27.
pub(super) fn gif(bytes: &[u8]) -> Result<Gif, BadPicture> {
    const IMAGE: u8 = 0x2C;
    const EXTENSION: u8 = 0x21;
    const TRAILER: u8 = 0x3B;
    let ends = || cut_off("its end is missing");
    let packed = *bytes.get(10).ok_or_else(ends)?;
    let mut at = 13 + colour_table(packed);
    let mut out = bytes.get(..at).ok_or_else(ends)?.to_vec();
    let mut frames = 0;
    loop {
        let start = at;
        match *bytes.get(at).ok_or_else(ends)? {
            TRAILER => {
                out.push(TRAILER);
                return Ok(Gif { bytes: out, frames });
            }
            IMAGE => {
                let packed = *bytes.get(at + 9).ok_or_else(ends)?;
                at = skip_blocks(bytes, at + 10 + colour_table(packed) + 1)?;
                out.extend_from_slice(&bytes[start..at]);
                frames += 1;
            }
            EXTENSION => {
                let label = *bytes.get(at + 1).ok_or_else(ends)?;
                at = skip_blocks(bytes, at + 2)?;
                let application = bytes.get(start + 3..start + 14);
                let loops = [&b"NETSCAPE2.0"[..], b"ANIMEXTS1.0"].into_iter().any(|name| application == Some(name));
                // Graphic control, plain text, and the application extension that makes it loop.
                if matches!(label, 0xF9 | 0x01) || label == 0xFF && loops {
                    out.extend_from_slice(&bytes[start..at]);
                }
            }
            _ => return Err(cut_off("a part of it can't be read")),
        }
    }
}

fn colour_table(packed: u8) -> usize {
    if packed & 0x80 == 0 { 0 } else { 3 << ((packed & 7) + 1) }
}

fn skip_blocks(bytes: &[u8], mut at: usize) -> Result<usize, BadPicture> {
    loop {
        let length = usize::from(*bytes.get(at).ok_or_else(|| cut_off("its end is missing"))?);
        at += 1 + length;
        if length == 0 {
            return Ok(at);
        }
    }
}

/// Whether a WebP is whole and stands still.
pub(super) fn check_webp(bytes: &[u8]) -> Result<(), BadPicture> {
    let declared = bytes.get(4..8).map(|size| size.iter().rev().fold(0, |n, byte| (n << 8) | usize::from(*byte)));
    if declared.is_none_or(|declared| declared + 8 > bytes.len()) {
        return Err(cut_off("its end is missing"));
    }
    let is_animated = bytes.get(12..16) == Some(b"VP8X") && bytes.get(20).is_some_and(|flags| flags & 0x02 != 0);
    if is_animated { Err(BadPicture::Animated("WebP")) } else { Ok(()) }
}
