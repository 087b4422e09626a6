//! A receiver that costs as little as can be: it looks for the ends of commands and texts and forgets the rest.

use std::io;
use std::net::TcpListener;
use std::thread;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Several messages of a usual size.
const READ_BYTES: usize = 256 * 1024;
/// The name of its thread.
pub(super) const THREAD: &str = "sink";
const END: &[u8] = b"\r\n.\r\n";

/// Starts it on a thread of its own, which ends with the program, and gives its port.
pub(in crate::cli::bench) fn start() -> io::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    thread::Builder::new().name(THREAD.into()).spawn(move || runtime.block_on(accept(listener)))?;
    Ok(port)
}

async fn accept(listener: TcpListener) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (tcp, _) = listener.accept().await?;
        tokio::spawn(receive(tcp));
    }
}

/// What the next bytes are.
enum Expected {
    Command,
    Text,
    /// So many more bytes of a chunk.
    Chunk(usize),
}

async fn receive(mut tcp: TcpStream) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    tcp.write_all(b"220 sink ESMTP\r\n").await?;
    let (mut read, mut replies) = (Vec::with_capacity(READ_BYTES), Vec::new());
    let mut expected = Expected::Command;
    while tcp.read_buf(&mut read).await? > 0 {
        let mut from = 0;
        while let Some(used) = take(&read[from..], &mut expected, &mut replies) {
            from += used;
        }
        // Only what may be the beginning of an end is kept.
        let keep = match expected {
            Expected::Text => (read.len() - from).min(END.len() - 1),
            Expected::Command | Expected::Chunk(_) => read.len() - from,
        };
        read.drain(..read.len() - keep);
        if !replies.is_empty() {
            tcp.write_all(&replies).await?;
            replies.clear();
        }
    }
    Ok(())
}

/// Takes one command, one text or what is there of a chunk off the front; gives its length, or nothing if its end is
/// not there yet.
fn take(read: &[u8], expected: &mut Expected, replies: &mut Vec<u8>) -> Option<usize> {
    match *expected {
        Expected::Chunk(count) => {
            let used = count.min(read.len());
            *expected = if used == count { Expected::Command } else { Expected::Chunk(count - used) };
            if used == count {
                replies.extend_from_slice(b"250 kept\r\n");
            }
            (used > 0).then_some(used)
        }
        Expected::Text => {
            let end = memchr::memmem::find(read, END)?;
            *expected = Expected::Command;
            replies.extend_from_slice(b"250 kept\r\n");
            Some(end + END.len())
        }
        Expected::Command => {
            let end = memchr::memmem::find(read, b"\r\n")?;
            let reply: &[u8] = match read[0].to_ascii_uppercase() {
                b'E' => b"250-sink\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 SIZE 0\r\n",
                b'D' => {
                    *expected = Expected::Text;
                    b"354 go on\r\n"
                }
                b'B' => {
                    *expected = Expected::Chunk(count(&read[..end]));
                    b""
                }
                b'Q' => b"221 bye\r\n",
                _ => b"250 ok\r\n",
            };
            replies.extend_from_slice(reply);
            Some(end + 2)
        }
    }
}

/// Of `BDAT 40000 LAST`.
fn count(line: &[u8]) -> usize {
    let digits = line.iter().skip_while(|byte| !byte.is_ascii_digit()).take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'))
}
