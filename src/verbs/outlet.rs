//! Where mail may leave the house.

use std::net::SocketAddr;

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
