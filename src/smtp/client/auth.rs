//! AUTH PLAIN and LOGIN (RFC 4954, RFC 4616), inside TLS or on this machine only.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::hello::Offers;
use super::wire::Wire;
use super::{Credentials, Target};
use crate::delivery::reply::{Answer, Reply, Stage};

pub(super) async fn sign_in(
    wire: &mut Wire,
    target: &Target,
    offers: &Offers,
    credentials: &Credentials,
) -> Result<(), Answer> {
    let broken = |why: &str| Answer::Broken { stage: Stage::Auth, why: why.to_owned() };
    if !wire.is_tls() && !wire.peer_is_loopback() {
        return Err(broken("the password was not sent, because the connection has no TLS"));
    }
    let reply = if offers.auth_plain {
        plain(wire, target, credentials).await?
    } else if offers.auth_login {
        login(wire, target, credentials).await?
    } else {
        return Err(broken("the relay has no AUTH PLAIN or LOGIN, but a user name is set for it; nothing was sent"));
    };
    if (200..300).contains(&reply.code) { Ok(()) } else { Err(Answer::Reply(reply)) }
}

async fn plain(wire: &mut Wire, target: &Target, credentials: &Credentials) -> Result<Reply, Answer> {
    let secret = STANDARD.encode(format!("\0{}\0{}", credentials.username, credentials.password));
    wire.ask(Stage::Auth, format!("AUTH PLAIN {secret}\r\n").as_bytes(), target.timeouts.command).await
}

async fn login(wire: &mut Wire, target: &Target, credentials: &Credentials) -> Result<Reply, Answer> {
    let within = target.timeouts.command;
    let mut reply = wire.ask(Stage::Auth, b"AUTH LOGIN\r\n", within).await?;
    for part in [&credentials.username, &credentials.password] {
        // 334 asks for the next part; anything else is the verdict already.
        if reply.code != 334 {
            return Ok(reply);
        }
        reply = wire.ask(Stage::Auth, format!("{}\r\n", STANDARD.encode(part)).as_bytes(), within).await?;
    }
    Ok(reply)
}
