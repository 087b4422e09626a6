//! Pictures as people hand them in: photographs, drawings, files that are something else.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use std::io::Cursor;

use broadsheet::media::{BadPicture, prepare};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};

/// A picture without areas of one colour, so that it compresses like a photograph.
fn photo(width: u32, height: u32) -> DynamicImage {
    let wave = |x: u32, y: u32, by: f32| ((x as f32 / by).sin() * (y as f32 / 17.0).cos() * 100.0 + 128.0) as u8;
    let noise = |x: u32, y: u32| (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503)).rotate_left(7) as u8 % 24;
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([wave(x, y, 31.0).saturating_add(noise(x, y)), wave(y, x, 47.0), wave(x, y, 11.0)])
    })
    .into()
}

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// An EXIF segment that says "turn me" (orientation 6) and where the camera stood.
fn with_exif(jpeg: &[u8]) -> Vec<u8> {
    let tiff = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0GPS 38.7223 N";
    let mut segment = vec![0xFF, 0xE1];
    segment.extend(u16::try_from(2 + 6 + tiff.len()).unwrap().to_be_bytes());
    segment.extend(b"Exif\0\0");
    segment.extend(tiff);
    [&jpeg[..2], &segment, &jpeg[2..]].concat()
}

#[test]
fn a_photograph_is_turned_upright_scaled_and_stripped() {
    let jpeg = with_exif(&encoded(&photo(3_000, 2_000), ImageFormat::Jpeg));
    let picture = prepare(&jpeg).unwrap();
    assert_eq!((picture.width, picture.height, picture.content_type), (1_200, 1_800, "image/jpeg"));
    assert!(picture.name.ends_with(".jpg") && picture.name.len() == 36, "{}", picture.name);
    assert!(!picture.bytes.windows(3).any(|bytes| bytes == b"GPS"));
    let again = image::load_from_memory(&picture.bytes).unwrap();
    assert_eq!((again.width(), again.height()), (1_200, 1_800));
}

#[test]
fn a_jpeg_of_the_right_size_keeps_its_pixels_and_loses_its_metadata() {
    let plain = encoded(&photo(600, 400), ImageFormat::Jpeg);
    let mut commented = plain[..2].to_vec();
    commented.extend(b"\xFF\xFE\x00\x08secret");
    commented.extend(&plain[2..]);
    commented.extend(b"trailing rubbish");
    let picture = prepare(&commented).unwrap();
    assert_eq!(picture.bytes, plain);
    assert_eq!(prepare(&plain).unwrap().name, picture.name);
}

#[test]
fn a_drawing_stays_png_and_a_photograph_saved_as_png_becomes_jpeg() {
    let drawing = RgbImage::from_fn(1_600, 400, |x, _| if x % 200 < 100 { Rgb([255; 3]) } else { Rgb([20; 3]) });
    let picture = prepare(&encoded(&drawing.into(), ImageFormat::Png)).unwrap();
    assert_eq!((picture.content_type, picture.width, picture.height), ("image/png", 1_200, 300));
    let picture = prepare(&encoded(&photo(1_200, 900), ImageFormat::Png)).unwrap();
    assert_eq!(picture.content_type, "image/jpeg");
}

#[test]
fn a_png_that_can_be_seen_through_stays_so() {
    let glass = RgbaImage::from_fn(1_400, 700, |x, y| Rgba([x as u8, y as u8, 90, (x / 6) as u8]));
    for format in [ImageFormat::Png, ImageFormat::WebP] {
        let picture = prepare(&encoded(&glass.clone().into(), format)).unwrap();
        assert_eq!((picture.content_type, picture.width), ("image/png", 1_200));
        assert!(image::load_from_memory(&picture.bytes).unwrap().color().has_alpha());
    }
}

#[test]
fn webp_becomes_something_that_mail_programs_show() {
    let picture = prepare(&encoded(&photo(900, 600), ImageFormat::WebP)).unwrap();
    assert_eq!(picture.content_type, "image/jpeg");
    assert_eq!((picture.width, picture.height), (900, 600));
}

#[test]
fn an_animation_keeps_moving_and_loses_its_comments() {
    let mut bytes = Vec::new();
    {
        let mut encoder = image::codecs::gif::GifEncoder::new(&mut bytes);
        encoder.set_repeat(image::codecs::gif::Repeat::Infinite).unwrap();
        for shade in [10, 200] {
            let frame = RgbaImage::from_pixel(40, 30, Rgba([shade, 0, 0, 255]));
            encoder.encode_frame(image::Frame::new(frame)).unwrap();
        }
    }
    let end = bytes.len() - 1;
    bytes.splice(end..end, *b"\x21\xFE\x06secret\0");
    let picture = prepare(&bytes).unwrap();
    assert_eq!((picture.content_type, picture.width, picture.height), ("image/gif", 40, 30));
    assert!(!picture.bytes.windows(6).any(|six| six == b"secret"));
    assert!(picture.bytes.windows(8).any(|eight| eight == b"NETSCAPE"));
    let frames =
        image::AnimationDecoder::into_frames(image::codecs::gif::GifDecoder::new(Cursor::new(&picture.bytes)).unwrap());
    assert_eq!(frames.count(), 2);
}

#[test]
fn files_that_end_too_soon_are_refused_wherever_they_end() {
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Gif, ImageFormat::WebP] {
        let whole = encoded(&photo(120, 80), format);
        assert!(prepare(&whole).is_ok());
        for cut in [20, whole.len() / 4, whole.len() / 2, whole.len() - 20, whole.len() - 3] {
            let refused = prepare(&whole[..cut]);
            assert!(matches!(refused, Err(BadPicture::Damaged(_))), "{format:?} cut at {cut}: {refused:?}");
        }
    }
}

/// A PNG that says how large it is and has nothing to show for it.
fn png_head(width: u32, height: u32) -> Vec<u8> {
    let mut png = encoded(&photo(8, 8), ImageFormat::Png);
    png[16..20].copy_from_slice(&width.to_be_bytes());
    png[20..24].copy_from_slice(&height.to_be_bytes());
    let crc = png[12..29].iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
    });
    png[29..33].copy_from_slice(&(!crc).to_be_bytes());
    png
}

#[test]
fn pictures_too_large_are_refused_by_their_head() {
    assert_eq!(prepare(&png_head(30_000, 100)), Err(BadPicture::TooLong { width: 30_000, height: 100 }));
    assert_eq!(prepare(&png_head(7_000, 6_000)), Err(BadPicture::TooManyPixels { width: 7_000, height: 6_000 }));
    assert!(matches!(prepare(&png_head(6_000, 6_000)), Err(BadPicture::Damaged(_))));
    assert!(matches!(prepare(&vec![0xFF; 21 << 20]), Err(BadPicture::TooHeavy(_))));
}

#[test]
fn what_is_no_picture_is_named() {
    assert_eq!(prepare(b""), Err(BadPicture::Empty));
    assert_eq!(prepare(b"<?xml version=\"1.0\"?><!-- x -->\n<svg xmlns=\"\"/>"), Err(BadPicture::Svg));
    assert_eq!(prepare(b"<!DOCTYPE html><html>404"), Err(BadPicture::OtherKind("a web page")));
    assert_eq!(prepare(b"\0\0\0\x18ftypheic"), Err(BadPicture::OtherKind("a HEIC picture, as phones take them")));
    assert_eq!(prepare(b"%PDF-1.7"), Err(BadPicture::OtherKind("a PDF document")));
    assert_eq!(prepare(b"hello"), Err(BadPicture::Unknown));
    // A JPEG by its content is one, whatever it is called; a text file called .jpg is none.
    assert_eq!(prepare(&encoded(&photo(9, 9), ImageFormat::Jpeg)).unwrap().content_type, "image/jpeg");
}
