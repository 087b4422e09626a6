//! Where mail may leave the house.

use std::net::SocketAddr;

use super::app::App;
use crate::smtp::client::{Credentials, Target, Timeouts, Window};
use crate::store::relay::Relay;
use crate::values::relay::Tls;

/// Every message goes through here. In the demo there is one way out and it ends in this process: no setting, no
/// row and no code path can lead anywhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlet {
    /// To the newsletter's relay.
    Relays,
    /// To the mail catcher at this loopback address, whatever relay the rows name.
    CatcherOnly(SocketAddr),
}

impl Outlet {
    /// Where the catcher is, in the demo.
    #[must_use]
    pub fn catcher(self) -> Option<SocketAddr> {
        match self {
            Self::CatcherOnly(address) => Some(address),
            Self::Relays => None,
        }
    }

    /// Whether a newsletter must name a relay before it can send.
    #[must_use]
    pub fn needs_relay(self) -> bool {
        matches!(self, Self::Relays)
    }
}

/// The one place where a relay's row becomes something that a connection is made to. `None`: there is no relay, and
/// so no way out.
#[must_use]
pub fn target(app: &App, relay: Option<&Relay>) -> Option<Target> {
    let helo = app.config.helo.as_str();
    match (app.outlet, relay) {
        (Outlet::CatcherOnly(at), _) => Some(Target::new(at.ip().to_string(), at.port(), Tls::None, helo)),
        (Outlet::Relays, None) => None,
        (Outlet::Relays, Some(row)) => {
            let port = u16::try_from(row.port).unwrap_or(0);
            let mut target = Target::new(row.host.as_str(), port, row.tls, helo);
            if let Some(each) = app.config.smtp_patience {
                target.timeouts = Timeouts::all(each);
            }
            target.plain_allowed = app.config.allow_relay_without_tls;
            target.window = app.config.bench.window.map_or(Window::Auto, Window::Fixed);
            target.credentials = match (&row.username, &row.password) {
                (Some(username), Some(password)) => {
                    Some(Credentials { username: username.clone(), password: password.clone() })
                }
                _ => None,
            };
            Some(target)
        }
    }
}
