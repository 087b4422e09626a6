//! The POST that a mail program's unsubscribe button makes, to ourselves only: whatever the address says, the
//! connection goes to the port that we listen on, so that nothing can be asked of anybody else.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use url::Url;

/// RFC 8058 §3.2 names no time; our own answer takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of the answer that are read: its status and its first words are shown.
const ANSWER_BYTES_MAX: u64 = 16 * 1024;
/// RFC 8058 §3.1, letter for letter.
const BODY: &str = "List-Unsubscribe=One-Click";

/// Posts to `url` at our own address `listen` ("127.0.0.1:8080") and gives status and body.
///
/// # Errors
/// When the address cannot be read, nobody answers in ten seconds, or the answer is not HTTP.
pub async fn post(url: &str, listen: &str) -> anyhow::Result<(u16, String)> {
    let url = Url::parse(url).context("the address cannot be read")?;
    let here = reachable(listen.parse().context("our own address cannot be read")?);
    let answer =
        tokio::time::timeout(PATIENCE, exchange(&url, here)).await.context("it took longer than 10 seconds")??;
    read_answer(&answer)
}

/// An address to listen on everywhere is reached on this machine.
fn reachable(mut listen: SocketAddr) -> SocketAddr {
    match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => listen.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => listen.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    listen
}

async fn exchange(url: &Url, here: SocketAddr) -> anyhow::Result<Vec<u8>> {
    let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let (kind, length) = ("application/x-www-form-urlencoded", BODY.len());
    // No cookies, no credentials, no referrer: RFC 8058 §3.1 wants nothing but this.
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{BODY}"
    );
    let mut tcp = TcpStream::connect(here).await?;
    tcp.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    tcp.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await?;
    Ok(answer)
}

fn read_answer(answer: &[u8]) -> anyhow::Result<(u16, String)> {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n").context("the answer is not HTTP")?;
    let Some(status) = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok()) else {
        bail!("the answer is not HTTP");
    };
    Ok((status, body.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::{post, reachable, read_answer};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn the_post_is_as_the_rfc_has_it_and_goes_to_us_whatever_the_address_says() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let here = listener.local_addr().expect("an address").to_string();
        let asked = tokio::spawn(async move {
            let (mut tcp, _) = listener.accept().await.expect("a client");
            let mut request = vec![0; 1_024];
            let mut length = 0;
            while !request[..length].ends_with(b"List-Unsubscribe=One-Click") {
                length += tcp.read(&mut request[length..]).await.expect("reads");
            }
            tcp.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nGone").await.expect("writes");
            String::from_utf8(request[..length].to_vec()).expect("ASCII")
        });
        let answer = post("https://news.example/r/k1.abc/unsubscribe?a=1", &here).await.expect("answers");
        assert_eq!(answer, (200, "Gone".to_owned()));
        let request = asked.await.expect("ends");
        assert!(request.starts_with("POST /r/k1.abc/unsubscribe?a=1 HTTP/1.1\r\nHost: news.example\r\n"), "{request}");
        assert!(request.contains("\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 26\r\n"));
        assert!(!request.to_lowercase().contains("cookie"));
    }

    #[test]
    fn an_address_for_everywhere_is_reached_here() {
        for (listen, here) in
            [("0.0.0.0:80", "127.0.0.1:80"), ("[::]:80", "[::1]:80"), ("192.0.2.1:80", "192.0.2.1:80")]
        {
            assert_eq!(reachable(listen.parse().expect("is one")).to_string(), here);
        }
    }

    #[test]
    fn what_is_not_http_is_said_to_be() {
        assert!(read_answer(b"220 catcher ESMTP\r\n\r\n").is_err() && read_answer(b"").is_err());
    }
}
