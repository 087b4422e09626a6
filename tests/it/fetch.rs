//! Pictures by https address, from a server on this machine.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use std::sync::Arc;

use broadsheet::fetch::{FILE_BYTES_MAX, Fetcher, NotFetched, Reach};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A web server with a certificate of its own: `/ok`, `/loop`, `/hop/N`, `/plain`, `/heavy`, `/private`.
async fn serve() -> (String, Reach) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut request = vec![0; 4_096];
                let length = stream.read(&mut request).await.unwrap_or(0);
                let request = String::from_utf8_lossy(&request[..length]).into_owned();
                let path = request.split(' ').nth(1).unwrap_or("/").to_owned();
                let _ = stream.write_all(&answer(&path, port)).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    let reach = Reach { allow_private: true, roots: vec![certificate.to_vec()] };
    (format!("https://localhost:{port}"), reach)
}

fn answer(path: &str, port: u16) -> Vec<u8> {
    let to = |place: &str| format!("HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n").into_bytes();
    match path {
        "/ok" => b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nbytes".to_vec(),
        "/loop" => to("/loop"),
        "/plain" => to(&format!("http://localhost:{port}/ok")),
        "/heavy" => [&b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"[..], &vec![b'x'; FILE_BYTES_MAX + 1]].concat(),
        hop if hop.starts_with("/hop/") => match hop[5..].parse::<u8>() {
            Ok(0) | Err(_) => to("/ok"),
            Ok(left) => to(&format!("/hop/{}", left - 1)),
        },
        _ => b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec(),
    }
}

#[tokio::test]
async fn pictures_are_fetched_within_bounds() {
    let (server, reach) = serve().await;
    let fetcher = Fetcher::new(&reach).unwrap();
    assert_eq!(fetcher.get(&format!("{server}/ok")).await.unwrap(), b"bytes");
    assert_eq!(fetcher.get(&format!("{server}/hop/3")).await.unwrap(), b"bytes");
    let refused = |path: &'static str| {
        let (fetcher, address) = (fetcher.clone(), format!("{server}{path}"));
        async move { fetcher.get(&address).await.unwrap_err() }
    };
    assert!(matches!(refused("/loop").await, NotFetched::Redirects));
    assert!(matches!(refused("/plain").await, NotFetched::NotHttps(_)));
    assert!(matches!(refused("/heavy").await, NotFetched::TooHeavy));
    assert!(matches!(refused("/gone").await, NotFetched::Status(404)));
}

#[tokio::test]
async fn nothing_is_fetched_from_private_networks() {
    let (server, mut reach) = serve().await;
    reach.allow_private = false;
    let fetcher = Fetcher::new(&reach).unwrap();
    let port = server.rsplit(':').next().unwrap().to_owned();
    for address in [
        format!("{server}/ok"),
        format!("https://127.0.0.1:{port}/ok"),
        format!("https://[::1]:{port}/ok"),
        format!("https://[::ffff:127.0.0.1]:{port}/ok"),
        format!("https://2130706433:{port}/ok"),
        "https://169.254.169.254/latest".to_owned(),
        "https://10.0.0.1/".to_owned(),
    ] {
        let refused = fetcher.get(&address).await.unwrap_err();
        assert!(matches!(refused, NotFetched::Private(_)), "{address}: {refused}");
    }
    assert!(matches!(fetcher.get("http://a.test/x").await, Err(NotFetched::NotHttps(_))));
    assert!(matches!(fetcher.get("file:///etc/passwd").await, Err(NotFetched::NotHttps(_))));
}
