//! Makers: threads that splice and sign messages ahead of the connections, one a core.
//!
//! A signature costs more than everything else of a message together, so it is made where it delays no conversation.
//! Lines share the makers; each may only have so much in the making (`Ready` counts), so a slow relay holds no thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::job::{Job, Made};
use super::lane::Lane;

/// Jobs given to a maker at once: few enough that all makers have something, enough that handing over costs nothing.
pub(super) const CHUNK: usize = 8;
/// Buffers of messages gone kept for new ones, and no more than a few thousand pages in all.
const SPARE_MAX: usize = 128;
/// A buffer that held an unusually long message is not kept.
const SPARE_BYTES_MAX: usize = 256 * 1024;

/// Jobs for one relay.
pub(super) struct Chunk {
    pub lane: Arc<Lane>,
    pub jobs: Vec<Job>,
}

/// The way to the makers; their threads end when the last of these is dropped.
#[derive(Clone)]
pub(super) struct Makers {
    chunks: Sender<Chunk>,
    spare: Spare,
}

/// Buffers to be used again.
#[derive(Clone, Default)]
pub(super) struct Spare(Arc<Mutex<Vec<Vec<u8>>>>);

impl Spare {
    fn take(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    pub(super) fn give_back(&self, mut buffer: Vec<u8>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < SPARE_MAX && buffer.capacity() <= SPARE_BYTES_MAX {
            buffer.clear();
            kept.push(buffer);
        }
    }
}

impl Makers {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start() -> std::io::Result<Self> {
        let (chunks, queue) = channel();
        let (queue, spare) = (Arc::new(Mutex::new(queue)), Spare::default());
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            let (queue, spare) = (Arc::clone(&queue), spare.clone());
            thread::Builder::new().name("maker".into()).spawn(move || work(&queue, &spare))?;
        }
        Ok(Self { chunks, spare })
    }

    /// Has jobs made; they come to their lane's queue, those that cannot be made to its ledger.
    pub(super) fn make(&self, lane: &Arc<Lane>, jobs: Vec<Job>) {
        let mut jobs = jobs.into_iter().peekable();
        while jobs.peek().is_some() {
            let chunk = Chunk { lane: Arc::clone(lane), jobs: jobs.by_ref().take(CHUNK).collect() };
            if let Err(lost) = self.chunks.send(chunk) {
                // No maker is left, which only a panic outside of a message can bring about: the claims go back.
                lost.0.lane.give_back(lost.0.jobs.iter().map(Job::key));
                lost.0.lane.ready.forget(lost.0.jobs.len());
            }
        }
    }

    pub(super) fn spare(&self) -> Spare {
        self.spare.clone()
    }
}

fn work(queue: &Mutex<Receiver<Chunk>>, spare: &Spare) {
    loop {
        // The lock is held only until a chunk comes: whoever waits for it waits for the next one.
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Chunk { lane, jobs }) = next else { return };
        for job in jobs {
            make(&lane, job, spare.take());
        }
    }
}

fn make(lane: &Lane, job: Job, buffer: Vec<u8>) {
    if lane.is_over() {
        lane.ready.forget(1);
        return lane.give_back([job.key()]);
    }
    let outgoing = catch_unwind(AssertUnwindSafe(|| job.outgoing(buffer)));
    let why = match outgoing {
        Ok(Ok(outgoing)) => {
            let made = Made { job, outgoing };
            return lane.give_back(lane.ready.put(made).map(|refused| refused.job.key()));
        }
        Ok(Err(error)) => format!("{error:#}"),
        Err(_) => "making the message failed unexpectedly".to_owned(),
    };
    lane.ready.forget(1);
    lane.cannot_be_made(&job, &why);
}
