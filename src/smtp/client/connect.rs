//! From a relay's name to a connection that is ready to send.

use std::net::SocketAddr;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::connection::Connection;
use super::wire::{Socket, Wire};
use super::{Target, auth, hello, tls};
use crate::delivery::reply::{Answer, Reply, Stage};
use crate::values::relay::Tls;

/// Connects to `target`: every address in turn, greeting, TLS, EHLO, AUTH.
///
/// # Errors
/// [`Answer::Reply`] if the relay refused, [`Answer::Broken`] if it could not be reached or understood. All of them
/// are faults of ours: no reader is touched.
pub async fn connect(target: &Target) -> Result<Connection, Answer> {
    if target.helo.is_empty() || !target.helo.bytes().all(|byte| byte.is_ascii_graphic()) {
        let why = format!("{:?} cannot be said in EHLO; set helo to the full name of this machine", target.helo);
        return Err(Answer::Broken { stage: Stage::Ehlo, why });
    }
    let mut last = None;
    for address in target.addresses().await? {
        match open(target, address).await {
            Ok(wire) => return introduce(target, wire).await,
            Err(answer) => last = Some(answer),
        }
    }
    Err(last.unwrap_or_else(|| Answer::Broken { stage: Stage::Connect, why: "the relay has no address".into() }))
}

/// TCP, TLS if it comes first, and the greeting.
async fn open(target: &Target, address: SocketAddr) -> Result<Wire, Answer> {
    let broken = |why: String| Answer::Broken { stage: Stage::Connect, why };
    let within = target.timeouts.connect;
    let tcp = timeout(within, TcpStream::connect(address))
        .await
        .map_err(|_| broken(format!("{address} did not answer within {:.1} s", within.as_secs_f64())))?
        .map_err(|error| broken(format!("{address} cannot be reached: {error}")))?;
    // Without it every message waits for a delayed acknowledgement, about 40 ms.
    tcp.set_nodelay(true).map_err(|error| broken(error.to_string()))?;
    let socket = match target.tls {
        Tls::Implicit => tls::handshake(tcp, &target.trust, &target.host, target.timeouts.tls).await?,
        Tls::None | Tls::StartTls => Socket::Plain(tcp),
    };
    let mut wire = Wire::new(socket);
    let greeting = wire.reply(Stage::Greeting, target.timeouts.greeting).await?;
    if !(200..300).contains(&greeting.code) {
        return Err(Answer::Reply(greeting));
    }
    if wire.has_unread() || wire.interrupted().is_some() {
        // Taken for the answer to EHLO, it would put every later answer one message off.
        let why = "the server spoke again after its greeting, before anything was said; nothing was sent";
        return Err(Answer::Broken { stage: Stage::Greeting, why: why.into() });
    }
    Ok(wire)
}

/// EHLO, STARTTLS, AUTH.
async fn introduce(target: &Target, mut wire: Wire) -> Result<Connection, Answer> {
    let mut began = Instant::now();
    let mut offers = hello::hello(&mut wire, target).await?;
    let mut round_trip = began.elapsed();
    if target.tls == Tls::StartTls {
        if !offers.starttls {
            let why = format!("{} does not offer STARTTLS; nothing was sent", target.host);
            return Err(Answer::Broken { stage: Stage::StartTls, why });
        }
        wire = start_tls(target, wire).await?;
        // What was offered in plain text may have been put there by anybody (RFC 3207 §4.2).
        began = Instant::now();
        offers = hello::hello(&mut wire, target).await?;
        round_trip = round_trip.min(began.elapsed());
    }
    if let Some(credentials) = &target.credentials {
        auth::sign_in(&mut wire, target, &offers, credentials).await?;
    }
    Ok(Connection::new(wire, offers, target, round_trip))
}

async fn start_tls(target: &Target, mut wire: Wire) -> Result<Wire, Answer> {
    let reply: Reply = wire.ask(Stage::StartTls, b"STARTTLS\r\n", target.timeouts.command).await?;
    if reply.code != 220 {
        return Err(Answer::Reply(reply));
    }
    if wire.has_unread() {
        let why = "the server spoke in plain text after STARTTLS, as an attacker in between would; nothing was sent";
        return Err(Answer::Broken { stage: Stage::StartTls, why: why.into() });
    }
    match wire.socket {
        Socket::Plain(tcp) => {
            Ok(Wire::new(tls::handshake(tcp, &target.trust, &target.host, target.timeouts.tls).await?))
        }
        Socket::Tls(_) => Err(Answer::Broken { stage: Stage::StartTls, why: "TLS is already there".into() }),
    }
}
