//! Pictures: read, turned upright, stripped, scaled, named by their hash.
//!
//! What goes out is JPEG, PNG or GIF, because those are what every mail program shows. Metadata (place, camera,
//! comments, thumbnails) is always removed; the colour profile stays, because without it colours change. A picture
//! that needs neither turning nor scaling keeps its pixels to the bit.

pub mod beside;
mod sniff;
mod strip;

use std::io::Cursor;

use aws_lc_rs::digest::{SHA256, digest};
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder as _, ImageEncoder as _, ImageReader, Limits};

use self::sniff::Kind;

/// Twice the width of the mail's column, for screens with fine pixels.
pub const WIDTH_PX_MAX: u32 = 1_200;
/// A 40-megapixel picture decodes to 160 MB; larger ones are posters or attacks.
pub const PIXELS_MAX: u64 = 40_000_000;
/// Longest side that is looked at. Beyond it a picture is a strip that no mail can show.
pub const SIDE_PX_MAX: u32 = 16_384;
/// Largest file that is read: a camera's finest JPEG has about 15 MB.
pub const FILE_BYTES_MAX: usize = 20 * 1024 * 1024;
/// An animation goes out as it is, so it must be light enough for a phone.
pub const ANIMATION_BYTES_MAX: usize = 5 * 1024 * 1024;
/// A colour profile beyond this is a printer's and not a screen's.
const PROFILE_BYTES_MAX: usize = 64 * 1024;
/// Above this a JPEG of the right width was saved at needless quality, and is saved again.
const JPEG_BYTES_FINE: usize = 400 * 1024;
/// Above this an opaque PNG is looked at: it may be a photograph.
const PNG_BYTES_FINE: usize = 150 * 1024;
/// It is one, if JPEG needs less than a third.
const PHOTO_SAVES_TIMES: usize = 3;
/// Where artefacts can't be seen at the size of a mail.
const JPEG_QUALITY: u8 = 84;
/// Bytes of the hash that a name has.
const NAME_BYTES: usize = 16;

/// A picture as it is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Hash of the bytes and an ending: "3f9a…c2.jpg".
    pub name: String,
    pub content_type: &'static str,
    pub width: u32,
    pub height: u32,
    pub bytes: Vec<u8>,
}

/// Why a file is not a picture that can go into a mail, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPicture {
    #[error("the file is empty; export the picture again")]
    Empty,
    #[error("the file has {} MB; the limit is {} MB. Save it smaller", .0 >> 20, FILE_BYTES_MAX >> 20)]
    TooHeavy(usize),
    #[error("it is an SVG drawing, which mail programs don't show; export it as PNG, 1200 pixels wide")]
    Svg,
    /// Some other kind of file, by its name with an article.
    #[error("it is {0}, whatever its name ends in; save the picture as JPEG, PNG or GIF")]
    OtherKind(&'static str),
    #[error("it is no picture that we know; save it as JPEG, PNG or GIF")]
    Unknown,
    #[error("the file is cut off or damaged ({0}); export or download the picture again")]
    Damaged(String),
    #[error("it is {width} × {height} pixels; no side may have more than {SIDE_PX_MAX}. Cut or scale it down")]
    TooLong { width: u32, height: u32 },
    #[error(
        "it is {width} × {height} pixels, more than {} million; scale it down to {WIDTH_PX_MAX} pixels of width",
        PIXELS_MAX / 1_000_000
    )]
    TooManyPixels { width: u32, height: u32 },
    #[error("it is an animated {0}, which mail programs show as a still picture or not at all; save it as GIF")]
    Animated(&'static str),
    #[error(
        "it is an animation of {width} pixels of width and {} KB; animations may have {WIDTH_PX_MAX} pixels and {} MB",
        bytes >> 10, ANIMATION_BYTES_MAX >> 20
    )]
    LargeAnimation { width: u32, bytes: usize },
    #[error("the picture could not be written: {0}")]
    Encoding(String),
}

/// Makes a file what can be served. Takes a second for a large photograph: call it where blocking is allowed.
///
/// # Errors
/// [`BadPicture`], which says what to do.
pub fn prepare(bytes: &[u8]) -> Result<Picture, BadPicture> {
    if bytes.is_empty() {
        return Err(BadPicture::Empty);
    }
    if bytes.len() > FILE_BYTES_MAX {
        return Err(BadPicture::TooHeavy(bytes.len()));
    }
    let kind = sniff::kind(bytes)?;
    let (width, height) = measured(bytes, kind)?;
    match kind {
        Kind::Gif => {
            let stripped = strip::gif(bytes)?;
            if stripped.frames > 1 {
                return animation(stripped.bytes, width, height);
            }
            let decoded = decode(bytes, kind)?;
            if width > WIDTH_PX_MAX {
                return still(decoded, &[]);
            }
            Ok(named(stripped.bytes, "image/gif", "gif", width, height))
        }
        Kind::Jpeg => jpeg(bytes),
        Kind::Png => png(bytes),
        Kind::Webp => {
            strip::check_webp(bytes)?;
            still(decode(bytes, kind)?, &[])
        }
    }
}

/// Width and height from the file's head, before anything is decoded.
fn measured(bytes: &[u8], kind: Kind) -> Result<(u32, u32), BadPicture> {
    let reader = ImageReader::with_format(Cursor::new(bytes), kind.format());
    let (width, height) = reader.into_dimensions().map_err(|error| damaged(&error))?;
    if width > SIDE_PX_MAX || height > SIDE_PX_MAX {
        return Err(BadPicture::TooLong { width, height });
    }
    if u64::from(width) * u64::from(height) > PIXELS_MAX {
        return Err(BadPicture::TooManyPixels { width, height });
    }
    if width == 0 || height == 0 {
        return Err(BadPicture::Damaged("it has no pixels".to_owned()));
    }
    Ok((width, height))
}

struct Decoded {
    image: DynamicImage,
    was_turned: bool,
    /// The colour profile, if it is one for red, green and blue.
    profile: Option<Vec<u8>>,
}

fn decode(bytes: &[u8], kind: Kind) -> Result<Decoded, BadPicture> {
    let reader = ImageReader::with_format(Cursor::new(bytes), kind.format());
    let mut decoder = reader.into_decoder().map_err(|error| damaged(&error))?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(PIXELS_MAX * 8);
    decoder.set_limits(limits).map_err(|error| damaged(&error))?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let profile = decoder.icc_profile().ok().flatten();
    let mut image = DynamicImage::from_decoder(decoder).map_err(|error| damaged(&error))?;
    image.apply_orientation(orientation);
    // Bytes 16 to 20 of a profile name its colour space (ICC.1:2022 §7.2.6). JPEGs in CMYK were converted by decoding.
    let is_rgb = |profile: &Vec<u8>| profile.get(16..20) == Some(b"RGB ") && profile.len() <= PROFILE_BYTES_MAX;
    let profile = profile.filter(is_rgb).filter(|_| image.color().has_color());
    Ok(Decoded { image, was_turned: orientation != Orientation::NoTransforms, profile })
}

fn damaged(error: &image::ImageError) -> BadPicture {
    BadPicture::Damaged(error.to_string().lines().next().unwrap_or_default().to_owned())
}

fn jpeg(bytes: &[u8]) -> Result<Picture, BadPicture> {
    let stripped = strip::jpeg(bytes)?;
    let decoded = decode(bytes, Kind::Jpeg)?;
    let (width, height) = (decoded.image.width(), decoded.image.height());
    if decoded.was_turned || width > WIDTH_PX_MAX {
        let scaled = scaled(&decoded.image);
        let bytes = encode_jpeg(&scaled, decoded.profile.as_deref())?;
        return Ok(named(bytes, "image/jpeg", "jpg", scaled.width(), scaled.height()));
    }
    if stripped.len() > JPEG_BYTES_FINE {
        let again = encode_jpeg(&decoded.image, decoded.profile.as_deref())?;
        if again.len() < stripped.len() {
            return Ok(named(again, "image/jpeg", "jpg", width, height));
        }
    }
    Ok(named(stripped, "image/jpeg", "jpg", width, height))
}

fn png(bytes: &[u8]) -> Result<Picture, BadPicture> {
    let stripped = strip::png(bytes)?;
    let decoded = decode(bytes, Kind::Png)?;
    let keeps_pixels = !decoded.was_turned && decoded.image.width() <= WIDTH_PX_MAX;
    still(decoded, if keeps_pixels { &stripped } else { &[] })
}

/// A still picture as PNG, or as JPEG where that shows no difference and saves much. `png` is the finished PNG, if
/// there is one already.
fn still(decoded: Decoded, png: &[u8]) -> Result<Picture, BadPicture> {
    let image = scaled(&decoded.image);
    let (width, height) = (image.width(), image.height());
    let profile = decoded.profile.as_deref();
    let is_opaque = !image.color().has_alpha() || image.to_rgba8().pixels().all(|pixel| pixel.0[3] == u8::MAX);
    let png = if png.is_empty() { encode_png(&image, is_opaque, profile)? } else { png.to_vec() };
    if is_opaque && png.len() > PNG_BYTES_FINE {
        let jpeg = encode_jpeg(&image, profile)?;
        if jpeg.len() * PHOTO_SAVES_TIMES < png.len() {
            return Ok(named(jpeg, "image/jpeg", "jpg", width, height));
        }
    }
    Ok(named(png, "image/png", "png", width, height))
}

fn animation(bytes: Vec<u8>, width: u32, height: u32) -> Result<Picture, BadPicture> {
    if width > WIDTH_PX_MAX || bytes.len() > ANIMATION_BYTES_MAX {
        return Err(BadPicture::LargeAnimation { width, bytes: bytes.len() });
    }
    Ok(named(bytes, "image/gif", "gif", width, height))
}

fn scaled(image: &DynamicImage) -> DynamicImage {
    let (width, height) = (image.width(), image.height());
    if width <= WIDTH_PX_MAX {
        return image.clone();
    }
    let height = (u64::from(height) * u64::from(WIDTH_PX_MAX)).div_ceil(u64::from(width)).max(1);
    let height = u32::try_from(height).unwrap_or(SIDE_PX_MAX);
    image.resize_exact(WIDTH_PX_MAX, height, image::imageops::FilterType::Lanczos3)
}

fn encode_jpeg(image: &DynamicImage, profile: Option<&[u8]>) -> Result<Vec<u8>, BadPicture> {
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY);
    if let Some(profile) = profile {
        // A profile that can't be written is a loss of colour and not of the picture.
        let _ = encoder.set_icc_profile(profile.to_vec());
    }
    let written = if image.color().has_color() {
        encoder.encode_image(&image.to_rgb8())
    } else {
        encoder.encode_image(&image.to_luma8())
    };
    written.map_err(|error| BadPicture::Encoding(error.to_string()))?;
    Ok(bytes)
}

fn encode_png(image: &DynamicImage, is_opaque: bool, profile: Option<&[u8]>) -> Result<Vec<u8>, BadPicture> {
    let mut bytes = Vec::new();
    let mut encoder = PngEncoder::new_with_quality(&mut bytes, CompressionType::Default, FilterType::Adaptive);
    if let Some(profile) = profile {
        let _ = encoder.set_icc_profile(profile.to_vec());
    }
    let written = match (is_opaque, image.color().has_color()) {
        (true, true) => image.to_rgb8().write_with_encoder(encoder),
        (true, false) => image.to_luma8().write_with_encoder(encoder),
        (false, _) => image.to_rgba8().write_with_encoder(encoder),
    };
    written.map_err(|error| BadPicture::Encoding(error.to_string()))?;
    Ok(bytes)
}

fn named(bytes: Vec<u8>, content_type: &'static str, ending: &str, width: u32, height: u32) -> Picture {
    let hash = digest(&SHA256, &bytes);
    let hex: String = hash.as_ref().iter().take(NAME_BYTES).map(|byte| format!("{byte:02x}")).collect();
    Picture { name: format!("{hex}.{ending}"), content_type, width, height, bytes }
}
