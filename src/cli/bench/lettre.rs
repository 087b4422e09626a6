//! The anchor that users of Rust know: lettre's pooled asynchronous transport, one fixed message, many tasks.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use lettre::transport::smtp::PoolConfig;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use tokio::task::JoinSet;

use super::wire::source::{READER, Round, SENDER, text};

/// Sends a round; gives messages a second, connecting included.
#[expect(clippy::cast_precision_loss, reason = "a bench does not send 2^52 messages")]
pub(super) async fn send(round: Round, port: u16) -> anyhow::Result<f64> {
    let pool = PoolConfig::new().max_size(u32::try_from(round.connections)?);
    let transport =
        AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("127.0.0.1").port(port).pool_config(pool).build();
    let envelope = lettre::address::Envelope::new(Some(SENDER.parse()?), vec![READER.parse()?])?;
    let text = Arc::new(text(round.size));
    let (began, mut tasks) = (Instant::now(), JoinSet::new());
    for n in 0..round.connections {
        let many = round.messages / round.connections + usize::from(n < round.messages % round.connections);
        let (transport, envelope, text) = (transport.clone(), envelope.clone(), Arc::clone(&text));
        tasks.spawn(async move {
            for _ in 0..many {
                transport.send_raw(&envelope, &text).await?;
            }
            Ok::<(), lettre::transport::smtp::Error>(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done?.context("lettre could not send")?;
    }
    Ok(round.messages as f64 / began.elapsed().as_secs_f64())
}
