//! The truth: which messages were taken, one line of JSON each, on the disk before the 250 is said.
//!
//! While one sync is under way the next lines gather, so that the truth is not what limits a test's speed.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use tokio::sync::{mpsc, oneshot};

/// One message that was taken.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Accepted {
    /// Unix milliseconds.
    pub at: i64,
    /// The connection it came on, counted from 1.
    pub connection: u64,
    pub from: String,
    pub to: Vec<String>,
    pub message_id: String,
    pub date: String,
    /// As it stands in the message, perhaps encoded (RFC 2047).
    pub subject: String,
    /// Of the message as it was sent, in hexadecimal.
    pub sha256: String,
    pub size: usize,
}

impl Accepted {
    /// What the truth says of a message.
    #[must_use]
    pub fn of(at: i64, connection: u64, from: String, to: Vec<String>, message: &[u8]) -> Self {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, message);
        let sha256 = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let (message_id, date) = (header(message, "message-id"), header(message, "date"));
        let subject = header(message, "subject");
        Self { at, connection, from, to, message_id, date, subject, sha256, size: message.len() }
    }
}

/// The value of a header in one line; empty without it. What we look for is never folded.
fn header(message: &[u8], name: &str) -> String {
    let end = memchr::memmem::find(message, b"\r\n\r\n").unwrap_or(message.len());
    let head = String::from_utf8_lossy(&message[..end]);
    let found = head.lines().find_map(|line| {
        let (said, value) = line.split_once(':')?;
        said.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    });
    found.unwrap_or_default()
}

/// Lines waiting for a sync: more than connections can have at once.
const QUEUE_MAX: usize = 1_024;

type Entry = (Accepted, oneshot::Sender<bool>);

/// The way to the file.
#[derive(Clone, Debug)]
pub struct Truth(mpsc::Sender<Entry>);

impl Truth {
    /// Opens the file, which is appended to.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let (sender, queue) = mpsc::channel(QUEUE_MAX);
        std::thread::Builder::new().name("truth".into()).spawn(move || write(file, queue))?;
        Ok(Self(sender))
    }

    /// Writes a message down. `true`: it is on the disk, and may be acknowledged.
    pub async fn keep(&self, accepted: Accepted) -> bool {
        let (answer, told) = oneshot::channel();
        self.0.send((accepted, answer)).await.is_ok() && told.await.unwrap_or(false)
    }
}

fn write(mut file: File, mut queue: mpsc::Receiver<Entry>) {
    let mut group = Vec::with_capacity(QUEUE_MAX);
    while queue.blocking_recv_many(&mut group, QUEUE_MAX) > 0 {
        let mut lines = Vec::new();
        for (accepted, _) in &group {
            // Strings and numbers have no way not to be JSON.
            let _ = serde_json::to_writer(&mut lines, accepted);
            lines.push(b'\n');
        }
        let kept = file.write_all(&lines).and_then(|()| file.sync_data()).is_ok();
        for (_, answer) in group.drain(..) {
            // Whoever asked may be gone; the line is there all the same, as after a real relay's crash.
            let _ = answer.send(kept);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Accepted;

    #[test]
    fn the_truth_knows_a_message_by_its_headers() {
        let message =
            b"From: a@x\r\nMessage-Id: <1@x>\r\nDate: Sun, 29 Nov 2026 09:00:00 +0000\r\n\r\nMessage-ID: <2@x>\r\n";
        let truth = Accepted::of(1, 2, "a@x".into(), vec!["b@x".into()], message);
        assert_eq!((truth.message_id.as_str(), truth.size), ("<1@x>", message.len()));
        assert_eq!(truth.date, "Sun, 29 Nov 2026 09:00:00 +0000");
        assert_eq!(truth.sha256.len(), 64);
    }
}
