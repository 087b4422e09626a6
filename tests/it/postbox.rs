//! A relay for tests: it does what its script says at each step of the conversation, and keeps what it got.
//!
//! ```ignore
//! let postbox = Postbox::start(Script::new().on("RCPT TO:<bad@", Act::say("550 5.1.1 No such user"))).await;
//! // … send to 127.0.0.1:postbox.port() …
//! let mails = postbox.wait_for(2).await;
//! ```

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// How long a story waits for what it expects before it fails.
const PATIENCE: Duration = Duration::from_secs(30);
const READ_BYTES: usize = 64 * 1024;

/// What to do instead of the friendly answer.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Bytes as they are.
    Raw(Vec<u8>),
    /// The same, one byte at a time.
    Slowly(Vec<u8>),
    /// Bytes, then the connection is closed.
    Last(Vec<u8>),
    /// The connection is closed. After the dot, the message is kept first.
    Close,
    /// Nothing is said for ever, and nothing read. After the dot, the message is kept first.
    Hang,
    /// Bytes, once somebody says so.
    Held(Arc<Notify>, Vec<u8>),
}

impl Act {
    pub(crate) fn say(line: &str) -> Self {
        Self::Raw(format!("{line}\r\n").into_bytes())
    }
}

/// One line of a script: at what, how often, and what.
#[derive(Clone, Debug)]
struct Cue {
    /// A command begins so; or `CONNECT`, `TEXT` (the first bytes after 354), `.` (the text is over, of DATA or BDAT).
    at: String,
    /// Matches let pass before the first time.
    skip: usize,
    /// Matches acted on.
    times: usize,
    act: Act,
}

/// How the postbox behaves. Without a word it is a friendly relay with PIPELINING, SIZE and 8BITMIME.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    offers: Vec<String>,
    offers_in_tls: Option<Vec<String>>,
    identity: Option<Identity>,
    tls_at_once: bool,
    cues: Vec<Cue>,
}

impl Script {
    pub(crate) fn new() -> Self {
        let offers = ["PIPELINING", "SIZE 50000000", "8BITMIME"].map(str::to_owned).to_vec();
        Self { offers, offers_in_tls: None, identity: None, tls_at_once: false, cues: Vec::new() }
    }

    /// What EHLO offers. STARTTLS must be among it to be offered.
    pub(crate) fn offering(mut self, offers: &[&str]) -> Self {
        self.offers = offers.iter().map(|&offer| offer.to_owned()).collect();
        self
    }

    /// What EHLO offers once TLS is there, if that differs.
    pub(crate) fn offering_in_tls(mut self, offers: &[&str]) -> Self {
        self.offers_in_tls = Some(offers.iter().map(|&offer| offer.to_owned()).collect());
        self
    }

    /// Who it is in TLS, after STARTTLS.
    pub(crate) fn identity(mut self, identity: &Identity) -> Self {
        self.identity = Some(identity.clone());
        self
    }

    /// TLS from the first byte.
    pub(crate) fn tls_at_once(mut self, identity: &Identity) -> Self {
        self.tls_at_once = true;
        self.identity(identity)
    }

    /// Acts whenever a command begins with `at` (upper and lower case alike), or at `CONNECT`, `TEXT`, `.`.
    pub(crate) fn on(self, at: &str, act: Act) -> Self {
        self.on_some(at, 0, usize::MAX, act)
    }

    /// The same, after letting `skip` matches pass, and only `times` times.
    pub(crate) fn on_some(mut self, at: &str, skip: usize, times: usize, act: Act) -> Self {
        self.cues.push(Cue { at: at.to_uppercase(), skip, times, act });
        self
    }
}

/// A certificate that signs itself, and its key.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Identity {
    pub(crate) fn of(host: &str) -> Self {
        let made = rcgen::generate_simple_self_signed([host.to_owned()]).expect("a certificate can be made");
        Self { certificate: made.cert.der().clone(), key: made.signing_key.serialize_der() }
    }

    fn acceptor(&self) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.clone()));
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![self.certificate.clone()], key));
        TlsAcceptor::from(Arc::new(config.expect("the certificate fits its key")))
    }
}

/// A message that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caught {
    pub(crate) mail_from: String,
    pub(crate) rcpt_to: Vec<String>,
    pub(crate) bytes: Vec<u8>,
}

/// Everything that happened so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    pub(crate) mails: Vec<Caught>,
    /// Command lines without their ends, of all connections, in the order in which they came.
    pub(crate) commands: Vec<String>,
    /// What came in one read each, commands only.
    pub(crate) groups: Vec<String>,
    pub(crate) connections: usize,
    pub(crate) closed: usize,
    /// Texts that came whole, kept or not.
    pub(crate) texts: usize,
}

/// The relay. Dropping it stops it.
pub(crate) struct Postbox {
    port: u16,
    log: watch::Receiver<Log>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Postbox {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Postbox {
    pub(crate) async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let (sender, log) = watch::channel(Log::default());
        Self { port, log, task: tokio::spawn(serve(listener, script, sender)) }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What happened so far.
    pub(crate) fn log(&self) -> Log {
        self.log.borrow().clone()
    }

    /// What was kept so far.
    pub(crate) fn mails(&self) -> Vec<Caught> {
        self.log.borrow().mails.clone()
    }

    /// Waits until `count` messages were kept, and gives them; fails after half a minute.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Caught> {
        self.wait_until(&format!("{count} mails"), |log| log.mails.len() >= count).await.mails
    }

    /// Waits until `fits`; fails after half a minute, saying what was waited for.
    pub(crate) async fn wait_until(&self, what: &str, fits: impl Fn(&Log) -> bool) -> Log {
        let mut log = self.log.clone();
        let found = tokio::time::timeout(PATIENCE, log.wait_for(|log| fits(log))).await;
        match found {
            Ok(Ok(log)) => log.clone(),
            _ => panic!("waited for {what}; the postbox has {:?}", self.log().commands),
        }
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

async fn serve(listener: TcpListener, script: Script, log: watch::Sender<Log>) {
    let hits = Arc::new(Mutex::new(vec![0_usize; script.cues.len()]));
    let (script, log) = (Arc::new(script), Arc::new(log));
    let mut sessions = JoinSet::new();
    while let Ok((tcp, _)) = listener.accept().await {
        tcp.set_nodelay(true).expect("the option exists");
        log.send_modify(|log| log.connections += 1);
        let (script, log, hits) = (Arc::clone(&script), Arc::clone(&log), Arc::clone(&hits));
        sessions.spawn(async move {
            let mut stream: Box<dyn Stream> = Box::new(tcp);
            if script.tls_at_once {
                let acceptor = script.identity.as_ref().expect("TLS needs an identity").acceptor();
                let Ok(tls) = acceptor.accept(stream).await else { return };
                stream = Box::new(tls);
            }
            let in_tls = script.tls_at_once;
            let session = Session { stream, read: Vec::new(), script, log: Arc::clone(&log), hits, in_tls };
            // An end of any kind is an end.
            let _ = session.run().await;
            log.send_modify(|log| log.closed += 1);
        });
    }
}

struct Session {
    stream: Box<dyn Stream>,
    read: Vec<u8>,
    script: Arc<Script>,
    log: Arc<watch::Sender<Log>>,
    hits: Arc<Mutex<Vec<usize>>>,
    in_tls: bool,
}

/// The conversation is over.
struct Over;

impl From<std::io::Error> for Over {
    fn from(_: std::io::Error) -> Self {
        Self
    }
}

impl Session {
    async fn run(mut self) -> Result<(), Over> {
        self.answer(self.cue("CONNECT"), "220 postbox.example ESMTP").await?;
        let (mut mail_from, mut rcpt_to) = (None, Vec::new());
        loop {
            let line = self.line().await?;
            self.log.send_modify(|log| log.commands.push(line.clone()));
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_uppercase();
            match verb.as_str() {
                "EHLO" => {
                    let answer = self.offers();
                    self.answer(self.cue(&line), &answer).await?;
                }
                "STARTTLS" => {
                    if self.answer(self.cue(&line), "220 2.0.0 Go ahead").await? < 300 {
                        self = self.upgrade().await?;
                    }
                }
                "AUTH" => self.auth(&line).await?,
                "MAIL" => {
                    let answer = if mail_from.is_some() { "503 5.5.1 Nested MAIL" } else { "250 2.1.0 Ok" };
                    if self.answer(self.cue(&line), answer).await? < 300 {
                        mail_from = Some(path(&line));
                    }
                }
                "RCPT" => {
                    let answer = if mail_from.is_none() { "503 5.5.1 MAIL first" } else { "250 2.1.5 Ok" };
                    if self.answer(self.cue(&line), answer).await? < 300 {
                        rcpt_to.push(path(&line));
                    }
                }
                "DATA" => {
                    let answer = if rcpt_to.is_empty() { "554 5.5.1 No valid recipients" } else { "354 Go on" };
                    if self.answer(self.cue(&line), answer).await? == 354 {
                        let mail_from = mail_from.take().unwrap_or_default();
                        self.text(mail_from, std::mem::take(&mut rcpt_to)).await?;
                    }
                }
                "BDAT" => self.chunk(&line, &mut mail_from, &mut rcpt_to).await?,
                "RSET" => {
                    self.answer(self.cue(&line), "250 2.0.0 Ok").await?;
                    (mail_from, rcpt_to) = (None, Vec::new());
                }
                "QUIT" => {
                    self.answer(self.cue(&line), "221 2.0.0 Bye").await?;
                    return Ok(());
                }
                _ => {
                    self.answer(self.cue(&line), "250 2.0.0 Ok").await?;
                }
            }
        }
    }

    fn offers(&self) -> String {
        let offers = match &self.script.offers_in_tls {
            Some(offers) if self.in_tls => offers,
            _ => &self.script.offers,
        };
        let lines: Vec<&str> = std::iter::once("postbox.example").chain(offers.iter().map(String::as_str)).collect();
        let last = lines.len() - 1;
        lines
            .iter()
            .enumerate()
            .map(|(n, line)| format!("250{}{line}", if n == last { ' ' } else { '-' }))
            .collect::<Vec<_>>()
            .join("\r\n")
    }

    async fn auth(&mut self, line: &str) -> Result<(), Over> {
        if line.eq_ignore_ascii_case("AUTH LOGIN") {
            for prompt in ["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6"] {
                self.write(format!("{prompt}\r\n").as_bytes()).await?;
                let part = self.line().await?;
                self.log.send_modify(|log| log.commands.push(part));
            }
        }
        self.answer(self.cue(line), "235 2.7.0 Welcome").await?;
        Ok(())
    }

    async fn upgrade(self) -> Result<Self, Over> {
        let acceptor = self.script.identity.as_ref().expect("STARTTLS needs an identity").acceptor();
        let tls = acceptor.accept(self.stream).await?;
        Ok(Self { stream: Box::new(tls), read: Vec::new(), in_tls: true, ..self })
    }

    /// Reads the text, keeps it, answers.
    async fn text(&mut self, mail_from: String, rcpt_to: Vec<String>) -> Result<(), Over> {
        let mut text = b"\r\n".to_vec();
        let mut looked = 0;
        if self.cue("TEXT").is_some() {
            self.fill(false).await?;
            self.act_on(self.cue("TEXT")).await?;
        }
        let end = loop {
            text.append(&mut self.read);
            if let Some(at) = text[looked..].windows(5).position(|five| five == b"\r\n.\r\n") {
                break looked + at;
            }
            looked = text.len().saturating_sub(4);
            self.fill(false).await?;
        };
        self.read = text.split_off(end + 5);
        text.truncate(end + 2);
        let bytes = String::from_utf8_lossy(&text).replace("\r\n.", "\r\n").as_bytes()[2..].to_vec();
        self.keep(mail_from, rcpt_to, bytes).await?;
        Ok(())
    }

    /// Reads `BDAT n LAST`, keeps it, answers. Whatever goes wrong, its bytes are read (RFC 3030 §2).
    async fn chunk(
        &mut self,
        line: &str,
        mail_from: &mut Option<String>,
        rcpt_to: &mut Vec<String>,
    ) -> Result<(), Over> {
        let count: usize = line.split(' ').nth(1).and_then(|count| count.parse().ok()).expect("BDAT has a count");
        assert!(line.ends_with(" LAST"), "one chunk a message: {line}");
        if let Some(Act::Raw(said) | Act::Last(said)) = self.peek("BDAT") {
            // A relay that does not know it goes on reading commands.
            if code_of(&said) == 500 {
                self.answer(self.cue("BDAT"), "").await?;
                return Ok(());
            }
        }
        while self.read.len() < count {
            self.fill(false).await?;
        }
        let bytes: Vec<u8> = self.read.drain(..count).collect();
        let said = self.keep(mail_from.clone().unwrap_or_default(), rcpt_to.clone(), bytes).await?;
        // RFC 3030 §2: a refused chunk leaves the transaction in no certain state. Here it stays open, which is worst.
        if said < 300 {
            (*mail_from, *rcpt_to) = (None, Vec::new());
        }
        Ok(())
    }

    /// Keeps a message unless the script refuses it, and answers; gives the code.
    async fn keep(&mut self, mail_from: String, rcpt_to: Vec<String>, bytes: Vec<u8>) -> Result<u16, Over> {
        // Kept before it is answered, so that whoever has the answer finds it here. One look at the script decides
        // both: with two, another connection might come between.
        let cue = self.cue(".");
        let keep = !rcpt_to.is_empty()
            && match &cue {
                Some(Act::Raw(said) | Act::Slowly(said) | Act::Last(said) | Act::Held(_, said)) => code_of(said) < 300,
                Some(Act::Close | Act::Hang) | None => true,
            };
        let friendly = if rcpt_to.is_empty() { "554 5.5.1 No valid recipients" } else { "250 2.0.0 Kept" };
        self.log.send_modify(|log| {
            log.texts += 1;
            if keep {
                log.mails.push(Caught { mail_from, rcpt_to, bytes });
            }
        });
        self.answer(cue, friendly).await
    }

    /// Answers as the script says, else with `friendly`; gives the code that was said.
    async fn answer(&mut self, cue: Option<Act>, friendly: &str) -> Result<u16, Over> {
        if let Some(code) = self.act_on(cue).await? {
            return Ok(code);
        }
        self.write(format!("{friendly}\r\n").as_bytes()).await?;
        Ok(code_of(friendly.as_bytes()))
    }

    /// Does what the script says, if it says something.
    async fn act_on(&mut self, cue: Option<Act>) -> Result<Option<u16>, Over> {
        match cue {
            None => return Ok(None),
            Some(Act::Raw(bytes)) => {
                self.write(&bytes).await?;
                return Ok(Some(code_of(&bytes)));
            }
            Some(Act::Slowly(bytes)) => {
                for byte in &bytes {
                    self.write(&[*byte]).await?;
                    tokio::task::yield_now().await;
                }
                return Ok(Some(code_of(&bytes)));
            }
            Some(Act::Last(bytes)) => self.write(&bytes).await?,
            Some(Act::Close) => {}
            Some(Act::Hang) => std::future::pending().await,
            Some(Act::Held(until, bytes)) => {
                until.notified().await;
                self.write(&bytes).await?;
                return Ok(Some(code_of(&bytes)));
            }
        }
        Err(Over)
    }

    /// The act for this occasion, which it uses up.
    fn cue(&self, at: &str) -> Option<Act> {
        self.find(at, true)
    }

    /// The act for this occasion, without using it up.
    fn peek(&self, at: &str) -> Option<Act> {
        self.find(at, false)
    }

    fn find(&self, at: &str, use_up: bool) -> Option<Act> {
        let at = at.to_uppercase();
        let mut hits = self.hits.lock().expect("nobody panicked with it");
        for (cue, hits) in self.script.cues.iter().zip(hits.iter_mut()).filter(|(cue, _)| at.starts_with(&cue.at)) {
            let hit = *hits;
            if use_up {
                *hits += 1;
            }
            if hit >= cue.skip && hit - cue.skip < cue.times {
                return Some(cue.act.clone());
            }
        }
        None
    }

    async fn line(&mut self) -> Result<String, Over> {
        loop {
            if let Some(end) = self.read.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.read.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            self.fill(true).await?;
        }
    }

    async fn fill(&mut self, commands: bool) -> Result<(), Over> {
        let before = self.read.len();
        self.read.reserve(READ_BYTES);
        if self.stream.read_buf(&mut self.read).await? == 0 {
            return Err(Over);
        }
        if commands {
            let group = String::from_utf8_lossy(&self.read[before..]).into_owned();
            self.log.send_modify(|log| log.groups.push(group));
        }
        Ok(())
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Over> {
        self.stream.write_all(bytes).await?;
        Ok(self.stream.flush().await?)
    }
}

/// The address between angle brackets.
fn path(line: &str) -> String {
    let path = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    path.map_or(String::new(), |(path, _)| path.to_owned())
}

fn code_of(bytes: &[u8]) -> u16 {
    let digits = bytes.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(999)
}
