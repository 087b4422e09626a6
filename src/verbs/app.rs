//! The one value that everything is handed: configuration, store, clock, keys, and the wires between running parts.

use std::ops::Deref;
use std::sync::Arc;

use tokio::sync::{Notify, broadcast};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::store::Store;
use crate::values::clock::Clock;
use crate::values::ids::IssueId;
use crate::values::token::Keyring;
use crate::verbs::breakers::Breakers;
use crate::verbs::departed::Departed;
use crate::verbs::guesses::Guesses;
use crate::verbs::nodes::Node;
use crate::verbs::outlet::Outlet;
use crate::verbs::pace::Troubles;
use crate::verbs::progress::Looks;
use crate::verbs::replies::Replies;

/// Cheap to clone; made once, in `verbs::start`.
#[derive(Clone)]
pub struct App(Arc<Parts>);

pub struct Parts {
    pub config: Config,
    pub store: Store,
    pub clock: Clock,
    pub keys: Keyring,
    /// Where mail may leave the house.
    pub outlet: Outlet,
    /// Who has left since this process started.
    pub departed: Departed,
    /// This process among those that serve the database.
    pub node: Node,
    /// What pauses an issue by itself.
    pub breakers: Breakers,
    /// What an answer means.
    pub replies: Replies,
    /// What was answered lately to those who watch an issue go out.
    pub looks: Looks,
    /// Receiving sites that are slower than they would be.
    pub troubles: Troubles,
    /// Wrong links lately, by network.
    pub guesses: Guesses,
    /// Rung when there may be something to send or to schedule; loops also wake by themselves.
    pub wake: Notify,
    /// Issues whose numbers changed, for live pages. Lagging listeners lose the oldest and read the rows anyway.
    pub changed: broadcast::Sender<IssueId>,
    /// Cancelled when the program is asked to stop.
    pub stop: CancellationToken,
}

/// Changes a slow live page may be behind before it loses the oldest; it reads the rows anyway.
const CHANGES_KEPT: usize = 256;

impl App {
    #[must_use]
    pub fn new(config: Config, store: Store, clock: Clock, keys: Keyring) -> Self {
        Self::with_outlet(config, store, clock, keys, Outlet::Relays)
    }

    /// One whose mail leaves by `outlet`: the demo's ends in the catcher.
    #[must_use]
    pub fn with_outlet(config: Config, store: Store, clock: Clock, keys: Keyring, outlet: Outlet) -> Self {
        let (changed, _) = broadcast::channel(CHANGES_KEPT);
        let (wake, stop) = (Notify::new(), CancellationToken::new());
        let (departed, looks, troubles) = (Departed::default(), Looks::default(), Troubles::default());
        let node = Node::default();
        let (breakers, replies) = (Breakers::default(), Replies::default());
        Self(Arc::new(Parts {
            config,
            store,
            clock,
            keys,
            outlet,
            departed,
            node,
            breakers,
            replies,
            looks,
            troubles,
            guesses: Guesses::default(),
            wake,
            changed,
            stop,
        }))
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// Runs `work` to its end even if whoever asked goes away: axum drops a handler's future when the visitor
/// disconnects, and a transaction must not be dropped half-way.
///
/// # Errors
/// Those of `work`, and one of its own if `work` panicked.
pub async fn to_the_end<T, F>(work: F) -> anyhow::Result<T>
where
    T: Send + 'static,
    F: Future<Output = anyhow::Result<T>> + Send + 'static,
{
    tokio::spawn(work).await.map_err(|_| anyhow::anyhow!("the work stopped unexpectedly; nothing of it was kept"))?
}
