//! Trying a relay: as far as it goes without a message.

use std::time::Duration;

use super::app::App;
use super::outlet;
use crate::delivery::reply::Answer;
use crate::smtp::client::Timeouts;
use crate::smtp::client::connect;
use crate::store::relay::Relay;

/// Whoever tries a relay waits before the screen: each phase gets this long, and not its usual minutes.
const EACH_PHASE: Duration = Duration::from_secs(10);

/// How a try ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hello {
    /// It greeted us, spoke TLS if it should, and took our password if there is one.
    Welcome,
    /// What it answered or what broke, in words.
    Trouble(String),
}

/// Connects, says hello, signs in, and leaves.
pub async fn hello(app: &App, relay: Option<&Relay>) -> Hello {
    let Some(mut target) = outlet::target(app, relay) else {
        return Hello::Trouble("there is no relay yet".into());
    };
    target.timeouts = Timeouts::all(EACH_PHASE);
    match connect(&target).await {
        Ok(connection) => {
            connection.quit().await;
            Hello::Welcome
        }
        Err(Answer::Reply(reply)) => {
            let code = reply.enhanced.as_deref().map(|code| format!(" {code}")).unwrap_or_default();
            Hello::Trouble(format!("{}{code} {} (at {})", reply.code, reply.text, reply.stage.as_str()))
        }
        Err(Answer::Broken { stage, why }) => Hello::Trouble(format!("{why} (at {})", stage.as_str())),
        Err(Answer::Unclear { why }) => Hello::Trouble(why),
    }
}
