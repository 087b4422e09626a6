//! A caught mail, read: what a mail program would show of it.

use std::borrow::Cow;
use std::fmt;

use mail_parser::{Addr, Address, HeaderName, Message, MessageParser, MimeHeaders as _};

/// Letters of the line that lists show below the subject.
const SNIPPET_LETTERS: usize = 200;

/// A mailbox of a header.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Mailbox {
    pub name: String,
    pub address: String,
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.is_empty() { f.write_str(&self.address) } else { write!(f, "{} <{}>", self.name, self.address) }
    }
}

impl Mailbox {
    /// Reads back what [`Mailbox`] wrote.
    #[must_use]
    pub fn parse(line: &str) -> Self {
        match line.strip_suffix('>').and_then(|line| line.rsplit_once(" <")) {
            Some((name, address)) => Self { name: name.to_owned(), address: address.to_owned() },
            None => Self { name: String::new(), address: line.to_owned() },
        }
    }
}

/// A file in a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    pub name: String,
    pub content_type: String,
    pub size: usize,
}

/// What a mail says.
#[derive(Clone, Debug, Default)]
pub struct Letter {
    pub subject: String,
    pub from: Mailbox,
    pub to: Vec<Mailbox>,
    pub cc: Vec<Mailbox>,
    pub reply_to: Vec<Mailbox>,
    /// Without the angle brackets.
    pub message_id: String,
    /// RFC 3339, empty if the mail has none.
    pub date: String,
    pub text: String,
    /// Empty if the mail has none.
    pub html: String,
    /// Bytes of the HTML part as it came, decoded: what Gmail's limit is about.
    pub html_bytes: usize,
    pub attachments: Vec<Attachment>,
    /// Every header in its order, unfolded and not decoded.
    pub headers: Vec<(String, String)>,
    /// Addresses in List-Unsubscribe.
    pub unsubscribe: Vec<String>,
    /// The https (here also http) address among them, if List-Unsubscribe-Post allows one click (RFC 8058 §2).
    pub one_click: Option<String>,
}

impl Letter {
    /// Reads a mail. What cannot be read is left empty; the source is always there to be looked at.
    #[must_use]
    pub fn read(raw: &[u8]) -> Self {
        let Some(message) = MessageParser::default().parse(raw) else { return Self::default() };
        let headers: Vec<_> = headers(&message);
        let unsubscribe = in_brackets(value(&headers, "List-Unsubscribe").unwrap_or_default());
        let post = value(&headers, "List-Unsubscribe-Post").unwrap_or_default();
        let allows = post.trim().eq_ignore_ascii_case("List-Unsubscribe=One-Click");
        let one_click = unsubscribe.iter().find(|url| allows && url.starts_with("http")).cloned();
        let html = html_part(&message);
        Self {
            subject: message.subject().unwrap_or_default().to_owned(),
            from: mailboxes(message.from()).into_iter().next().unwrap_or_default(),
            to: mailboxes(message.to()),
            cc: mailboxes(message.cc()),
            reply_to: mailboxes(message.reply_to()),
            message_id: message.message_id().unwrap_or_default().to_owned(),
            date: message.date().map(mail_parser::DateTime::to_rfc3339).unwrap_or_default(),
            text: text_part(&message),
            html_bytes: html.len(),
            html,
            attachments: attachments(&message),
            headers,
            unsubscribe,
            one_click,
        }
    }

    /// The receivers, one a line.
    #[must_use]
    pub fn to_line(&self) -> String {
        self.to.iter().map(Mailbox::to_string).collect::<Vec<_>>().join("\n")
    }

    /// The first words, without the rules that a text part is drawn with.
    #[must_use]
    pub fn snippet(&self) -> String {
        let drawn = |word: &&str| !word.chars().all(|letter| matches!(letter, '=' | '-' | '_' | '*'));
        let words = self.text.split_whitespace().filter(drawn);
        let mut snippet = String::new();
        for word in words {
            if snippet.chars().count() + word.chars().count() >= SNIPPET_LETTERS {
                break;
            }
            if !snippet.is_empty() {
                snippet.push(' ');
            }
            snippet.push_str(word);
        }
        snippet
    }

    /// The HTML with every link opening a window of its own, since it is shown in a frame.
    #[must_use]
    pub fn framed(&self) -> String {
        const BASE: &str = "<base target=\"_blank\">";
        let head = self.html.find("<head").and_then(|at| self.html[at..].find('>').map(|end| at + end + 1));
        match head {
            Some(at) => format!("{}{BASE}{}", &self.html[..at], &self.html[at..]),
            None => format!("{BASE}{}", self.html),
        }
    }
}

/// The first value of a header, by its name in any case.
#[must_use]
pub fn value<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

fn headers(message: &Message<'_>) -> Vec<(String, String)> {
    let unfold = |value: &str| value.split(['\r', '\n']).map(str::trim).collect::<Vec<_>>().join(" ").trim().to_owned();
    message.headers_raw().map(|(name, value)| (name.to_owned(), unfold(value))).collect()
}

/// The addresses between angle brackets of RFC 2369 §2.
fn in_brackets(list: &str) -> Vec<String> {
    let inside = |part: &str| part.split_once('>').map(|(url, _)| url.split_whitespace().collect::<String>());
    list.split('<').skip(1).filter_map(inside).collect()
}

fn mailboxes(address: Option<&Address<'_>>) -> Vec<Mailbox> {
    let one = |addr: &Addr<'_>| Mailbox {
        name: addr.name().unwrap_or_default().to_owned(),
        address: addr.address().unwrap_or_default().to_owned(),
    };
    address.map(|list| list.iter().map(one).collect()).unwrap_or_default()
}

/// The text part as it was sent; none is made from the HTML.
fn text_part(message: &Message<'_>) -> String {
    let part = message.text_bodies().find(|part| part.is_text() && !part.is_text_html());
    part.and_then(|part| part.text_contents()).unwrap_or_default().to_owned()
}

fn html_part(message: &Message<'_>) -> String {
    let part = message.html_bodies().find(|part| part.is_text_html());
    part.and_then(|part| part.text_contents()).unwrap_or_default().to_owned()
}

fn attachments(message: &Message<'_>) -> Vec<Attachment> {
    let named = |part: &mail_parser::MessagePart<'_>| Attachment {
        name: part.attachment_name().unwrap_or("unnamed").to_owned(),
        content_type: part
            .content_type()
            .map_or(Cow::Borrowed("application/octet-stream"), |kind| {
                Cow::Owned(format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or("octet-stream")))
            })
            .into_owned(),
        size: part.contents().len(),
    };
    message.attachments().map(named).collect()
}

/// Headers by their names, as Mailpit's API groups them.
#[must_use]
pub fn grouped(headers: &[(String, String)]) -> serde_json::Map<String, serde_json::Value> {
    let mut groups = serde_json::Map::new();
    for (name, value) in headers {
        let name = HeaderName::parse(name.as_str()).map_or_else(|| name.clone(), |known| known.as_str().to_owned());
        let group = groups.entry(name).or_insert_with(|| serde_json::Value::Array(Vec::new()));
        if let serde_json::Value::Array(values) = group {
            values.push(value.clone().into());
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::{Letter, Mailbox, grouped};

    const MAIL: &str = concat!(
        "From: =?utf-8?q?In=C3=AAs?= <brief@tidewater.example>\r\nTo: Ann <ann@reader.example>, bo@reader.example\r\n",
        "Subject: =?utf-8?b?8J+Ps++4j+KAjfCfjIggSGVsbG8=?=\r\nMessage-ID: <1@tidewater.example>\r\n",
        "Date: Tue, 24 Nov 2026 09:00:00 +0000\r\nList-Unsubscribe: <https://t.example/r/k1.abc/unsubscribe>,\r\n",
        " <mailto:leave@t.example>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nReceived: a\r\nReceived: b\r\n",
        "MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=x\r\n\r\n",
        "--x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n====\r\n\r\nHello\r\nAnn\r\n",
        "--x\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html><head><title>x</title></head><p>Hello</p></html>\r\n--x--\r\n"
    );

    #[test]
    fn a_mail_is_read_as_a_mail_program_reads_it() {
        let letter = Letter::read(MAIL.as_bytes());
        assert_eq!(letter.subject, "🏳️\u{200d}🌈 Hello");
        assert_eq!(letter.from.to_string(), "Inês <brief@tidewater.example>");
        assert_eq!(letter.to_line(), "Ann <ann@reader.example>\nbo@reader.example");
        assert_eq!(letter.message_id, "1@tidewater.example");
        assert_eq!(letter.snippet(), "Hello Ann");
        assert!(letter.html.starts_with("<html>") && letter.text.starts_with("===="));
        assert_eq!(letter.one_click.as_deref(), Some("https://t.example/r/k1.abc/unsubscribe"));
        assert_eq!(letter.unsubscribe.len(), 2);
        assert!(letter.framed().starts_with("<html><head><base target=\"_blank\"><title>"));
        assert_eq!(grouped(&letter.headers)["Received"], serde_json::json!(["a", "b"]));
        assert_eq!(letter.date, "2026-11-24T09:00:00Z");
    }

    #[test]
    fn without_its_post_header_there_is_no_one_click() {
        let mail = MAIL.replace("List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", "");
        assert_eq!(Letter::read(mail.as_bytes()).one_click, None);
    }

    #[test]
    fn whatever_comes_is_read_without_a_panic() {
        for raw in [&b""[..], b"\r\n", b"\xff\xfe\x00", b"Subject: x", b"Content-Type: text/html\r\n\r\n<p>only</p>"] {
            let _ = Letter::read(raw).framed();
        }
    }

    #[test]
    fn mailboxes_come_back_from_their_line() {
        for line in ["Ann Lee <ann@reader.example>", "bo@reader.example", "a <b> c <d@e.example>"] {
            assert_eq!(Mailbox::parse(line).to_string(), line);
        }
    }
}
