//! A receiver that costs as little as can be: it looks for the ends of commands and texts and forgets the rest.

use std::io;
use std::net::TcpListener;
use std::thread;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Several messages of a usual size.
const READ_BYTES: usize = 256 * 1024;
const END: &[u8] = b"\r\n.\r\n";

/// Starts it on a thread of its own, which ends with the program, and gives its port.
pub(in crate::cli::bench) fn start() -> io::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    thread::Builder::new().name("sink".into()).spawn(move || runtime.block_on(accept(listener)))?;
    Ok(port)
}

async fn accept(listener: TcpListener) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (tcp, _) = listener.accept().await?;
        tokio::spawn(receive(tcp));
    }
}

async fn receive(mut tcp: TcpStream) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    tcp.write_all(b"220 sink ESMTP\r\n").await?;
    let (mut read, mut replies) = (Vec::with_capacity(READ_BYTES), Vec::new());
    let mut in_text = false;
    while tcp.read_buf(&mut read).await? > 0 {
        let mut from = 0;
        loop {
            let end = if in_text { END } else { b"\r\n" };
            let Some(at) = memchr::memmem::find(&read[from..], end) else { break };
            let (reply, text_follows): (&[u8], bool) = match read[from].to_ascii_uppercase() {
                _ if in_text => (b"250 kept\r\n", false),
                b'E' => (b"250-sink\r\n250-PIPELINING\r\n250 SIZE 0\r\n", false),
                b'D' => (b"354 go on\r\n", true),
                b'Q' => (b"221 bye\r\n", false),
                _ => (b"250 ok\r\n", false),
            };
            replies.extend_from_slice(reply);
            in_text = text_follows;
            from += at + end.len();
        }
        // Only what may be the beginning of an end is kept.
        let keep = if in_text { (read.len() - from).min(END.len() - 1) } else { read.len() - from };
        read.drain(..read.len() - keep);
        tcp.write_all(&replies).await?;
        replies.clear();
    }
    Ok(())
}
