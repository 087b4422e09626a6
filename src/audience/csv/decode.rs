//! Bytes into lines, whatever they are written in: UTF-8, UTF-16 (with or without a mark), or Latin-1 as Windows
//! writes it (1252), which is decided line by line, since files glued together from two sources exist.

use std::borrow::Cow;
use std::io::{BufRead as _, BufReader, Cursor, Read};

use encoding_rs::{Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::{BadFile, BadRow, ROW_BYTES_MAX};

/// Bytes looked at to tell the encoding and the ends of lines.
const HEAD_BYTES: usize = 64 * 1_024;
const BUFFER_BYTES: usize = 64 * 1_024;
/// First bytes of zip (also xlsx, ods), gzip, and old Excel files.
const PACKED: [&[u8]; 3] = [b"PK\x03\x04", b"\x1f\x8b", b"\xd0\xcf\x11\xe0"];

/// A line's number from 1, and its bytes without the end of line.
pub(super) type Line = (usize, Result<Vec<u8>, BadRow>);

pub(super) struct Lines<'a> {
    bytes: BufReader<Box<dyn Read + Send + 'a>>,
    encoding: &'static Encoding,
    end: u8,
    read: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn open(mut file: impl Read + Send + 'a) -> Result<Self, BadFile> {
        let mut head = Vec::new();
        file.by_ref().take(HEAD_BYTES as u64).read_to_end(&mut head)?;
        if head.is_empty() {
            return Err(BadFile::Empty);
        }
        if PACKED.iter().any(|magic| head.starts_with(magic)) {
            return Err(BadFile::Packed);
        }
        let (encoding, mark) = Encoding::for_bom(&head).unwrap_or_else(|| (guess(&head), 0));
        let wide = encoding == UTF_16LE || encoding == UTF_16BE;
        let has = |byte: u8| head.contains(&byte);
        let end = if has(b'\r') && !has(b'\n') { b'\r' } else { b'\n' };
        let all = Cursor::new(head.split_off(mark)).chain(file);
        let bytes: Box<dyn Read + Send + 'a> = if wide { Box::new(Narrow::new(all, encoding)) } else { Box::new(all) };
        Ok(Self { bytes: BufReader::with_capacity(BUFFER_BYTES, bytes), encoding, end, read: 0 })
    }

    pub(super) fn encoding(&self) -> &'static str {
        self.encoding.name()
    }

    /// The words of a cell. The first one that is not UTF-8 makes the file a Latin-1 one, for the report.
    pub(super) fn text(&mut self, cell: &[u8]) -> String {
        match std::str::from_utf8(cell) {
            Ok(text) => text.to_owned(),
            Err(_) => {
                self.encoding = WINDOWS_1252;
                let (text, _) = WINDOWS_1252.decode_without_bom_handling(cell);
                Cow::into_owned(text)
            }
        }
    }

    pub(super) fn next_line(&mut self) -> Result<Option<Line>, std::io::Error> {
        let mut line = Vec::new();
        let most = ROW_BYTES_MAX as u64 + 1;
        if self.bytes.by_ref().take(most).read_until(self.end, &mut line)? == 0 {
            return Ok(None);
        }
        self.read += 1;
        if line.last() == Some(&self.end) {
            line.pop();
        } else if line.len() > ROW_BYTES_MAX {
            self.bytes.skip_until(self.end)?;
            return Ok(Some((self.read, Err(BadRow::TooLong))));
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(Some((self.read, Ok(line))))
    }
}

/// UTF-16 without a mark gives itself away: every other byte of Western text is nought.
fn guess(head: &[u8]) -> &'static Encoding {
    let pairs = head.chunks_exact(2).take(512);
    let all = pairs.len();
    let (low, high) = pairs.fold((0, 0), |(low, high), pair| {
        (low + usize::from(pair[1] == 0 && pair[0] != 0), high + usize::from(pair[0] == 0 && pair[1] != 0))
    });
    match () {
        () if all > 1 && low * 10 >= all * 7 => UTF_16LE,
        () if all > 1 && high * 10 >= all * 7 => UTF_16BE,
        () => UTF_8,
    }
}

/// A stream in UTF-16 as one in UTF-8.
struct Narrow<R> {
    inner: R,
    decoder: Decoder,
    raw: Vec<u8>,
    ready: Cursor<Vec<u8>>,
    done: bool,
}

impl<R: Read> Narrow<R> {
    fn new(inner: R, encoding: &'static Encoding) -> Self {
        let decoder = encoding.new_decoder_without_bom_handling();
        Self { inner, decoder, raw: vec![0; BUFFER_BYTES], ready: Cursor::default(), done: false }
    }

    fn refill(&mut self) -> std::io::Result<()> {
        let got = self.inner.read(&mut self.raw)?;
        self.done = got == 0;
        let room = self.decoder.max_utf8_buffer_length(got).unwrap_or(got * 3 + 16);
        let mut text = String::with_capacity(room);
        let _ = self.decoder.decode_to_string(&self.raw[..got], &mut text, self.done);
        self.ready = Cursor::new(text.into_bytes());
        Ok(())
    }
}

impl<R: Read> Read for Narrow<R> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        loop {
            let got = self.ready.read(buf)?;
            if got > 0 || self.done || buf.is_empty() {
                return Ok(got);
            }
            self.refill()?;
        }
    }
}
