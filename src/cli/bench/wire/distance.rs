//! A relay that is far: passes bytes on after a time, in both directions, as fast as they come. It needs no root and no
//! kernel module; bandwidth and loss are not its subject.

use std::io;
use std::thread;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Bytes of one read.
const READ_BYTES: usize = 256 * 1024;
/// Reads on their way in one direction of one connection: more than any window fills in a long round trip.
const ON_THE_WAY: usize = 4_096;

/// Listens on a port of its own, on a thread of its own which ends with the program; what is sent there arrives at
/// `port` after half of `round_trip`, and what comes back takes the other half.
pub(in crate::cli::bench) fn start(port: u16, round_trip: Duration) -> io::Result<u16> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let here = listener.local_addr()?.port();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new()
        .name(super::sink::THREAD.into())
        .spawn(move || runtime.block_on(accept(listener, port, round_trip / 2)))?;
    Ok(here)
}

async fn accept(listener: std::net::TcpListener, port: u16, way: Duration) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (near, _) = listener.accept().await?;
        tokio::spawn(async move {
            let far = TcpStream::connect(("127.0.0.1", port)).await?;
            near.set_nodelay(true)?;
            far.set_nodelay(true)?;
            let (near_read, near_write) = near.into_split();
            let (far_read, far_write) = far.into_split();
            tokio::spawn(pass(near_read, far_write, way));
            tokio::spawn(pass(far_read, near_write, way));
            io::Result::Ok(())
        });
    }
}

/// Passes one direction on, each piece `way` after it came; an end of any kind is an end there too.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, way: Duration) {
    let (send, mut receive) = mpsc::channel::<(Instant, Vec<u8>)>(ON_THE_WAY);
    tokio::spawn(async move {
        while let Some((due, bytes)) = receive.recv().await {
            tokio::time::sleep_until(due).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
        // The other side may be gone already.
        let _ = to.shutdown().await;
    });
    loop {
        let mut bytes = Vec::with_capacity(READ_BYTES);
        match from.read_buf(&mut bytes).await {
            Ok(count) if count > 0 => {}
            _ => return,
        }
        bytes.shrink_to_fit();
        if send.send((Instant::now() + way, bytes)).await.is_err() {
            return;
        }
    }
}
