//! One mail read: what it is, then whom it is about.

use std::borrow::Cow;

use super::complaint;
use super::fields::{Group, groups};
use super::found_address::{self, same};
use super::lines::{self, Block, Known, RECIPIENTS_MAX};
use super::marks::{Mark, Marks};
use super::mime::{Fields, Mail, Use};
use super::notice;
use super::refusal::{Case, kind_of};
use super::{Found, Kind, decode};

/// Reports within mails: somebody sent one on.
const WITHIN_MAX: usize = 4;
/// Of the words of a report; the rest is somebody's newsletter.
const WORDS_BYTES_MAX: usize = 64 * 1024;
/// Whom a returned mail was for, when nothing else says whom the report is about.
const WANTED_MAX: usize = 5;

pub(super) fn read(bytes: &[u8]) -> Vec<Found> {
    let mut found = within(bytes, 0);
    found.truncate(RECIPIENTS_MAX);
    if found.is_empty() {
        found.push(Found::plain(Kind::Other, None, String::new()));
    }
    found
}

fn within(bytes: &[u8], depth: usize) -> Vec<Found> {
    let mail = Mail::read(bytes);
    if let Some(found) = complaint::read(&mail) {
        return found;
    }
    let report = Report::of(&mail);
    if mail.kind.is_report("disposition-notification") || mail.first(Use::Disposition).is_some() {
        return vec![Found::plain(Kind::Other, None, report.subject())];
    }
    if let Some(found) = notice::read(&report.words) {
        return found;
    }
    let groups = report.groups();
    if !groups.is_empty() {
        return report.of_groups(groups);
    }
    if let Some(found) = report.own_words() {
        return found;
    }
    if depth < WITHIN_MAX {
        for part in mail.parts.iter().filter(|part| part.purpose == Use::Message) {
            let inner = within(&part.body, depth + 1);
            if inner
                .iter()
                .any(|found| matches!(found.kind, Kind::Bounce | Kind::Delayed | Kind::Complaint | Kind::Delivered))
            {
                return inner;
            }
        }
    }
    vec![Found::plain(Kind::Other, None, report.subject())]
}

/// A mail with its words, and what it says about itself.
struct Report<'a> {
    mail: &'a Mail<'a>,
    /// Up to where the returned mail begins.
    words: Cow<'a, str>,
    known: Known,
    subject: Marks,
    from: Marks,
    body: Marks,
}

impl<'a> Report<'a> {
    fn of(mail: &'a Mail<'a>) -> Self {
        let words = words(mail);
        let cut = lines::cut(&words);
        let part = mail.first(Use::Message).map(|part| part.body.as_ref());
        let returned = match part {
            Some(part) => Fields::read(part).0,
            None => returned_fields(&words[cut..]),
        };
        let known = known(&mail.head, &returned);
        let words = match words {
            Cow::Borrowed(words) => Cow::Borrowed(&words[..cut]),
            Cow::Owned(mut words) => {
                words.truncate(cut);
                Cow::Owned(words)
            }
        };
        let mut from = mail.head.get("from").unwrap_or_default().into_owned();
        if mail.head.get("return-path").is_some_and(|path| path.trim() == "<>") {
            from.push_str(" <>");
        }
        Self {
            subject: Marks::of_header(&mail.head.get("subject").unwrap_or_default()),
            from: Marks::of_header(&from),
            body: Marks::of(&words.to_ascii_lowercase().replace('\n', " ").replace('\r', "")),
            mail,
            words,
            known,
        }
    }

    fn subject(&self) -> String {
        self.mail.head.get("subject").unwrap_or_default().chars().take(200).collect()
    }

    /// The fields of RFC 3464, from their part or from wherever a broken mail has them.
    fn groups(&self) -> Vec<Group> {
        let mut found = Vec::new();
        for part in self.mail.parts.iter().filter(|part| part.purpose == Use::Status) {
            found.extend(groups(&part.text()));
        }
        let has_fields =
            |text: &str| memchr::memmem::find(text.to_ascii_lowercase().as_bytes(), b"final-recipient:").is_some();
        if found.is_empty() && has_fields(&self.words) {
            found = groups(&self.words);
        }
        found
    }

    fn of_groups(&self, groups: Vec<Group>) -> Vec<Found> {
        let blocks = lines::blocks(&self.words, &self.known);
        let among_others = groups.len() > 1;
        let mut found: Vec<Found> = Vec::with_capacity(groups.len());
        for group in groups.into_iter().take(RECIPIENTS_MAX) {
            let recipient = self.recipient_of(&group, &blocks, among_others);
            let block =
                recipient.as_deref().and_then(|recipient| blocks.iter().find(|block| same(&block.address, recipient)));
            let block = block.or(if among_others { None } else { blocks.first() });
            let case = Case {
                status: group.status,
                diagnostic: group.diagnostic.as_deref().unwrap_or_default(),
                block: block.map_or("", |block| &block.text),
                whole: &self.words,
                among_others,
                recipient,
            };
            let kind = kind_of(group.action, group.status, self.is_delay());
            found.push(if kind == Kind::Delivered {
                Found {
                    status: group.status.map(|it| it.to_string()),
                    ..Found::plain(kind, case.recipient, "delivered".to_owned())
                }
            } else {
                case.conclude(kind)
            });
        }
        without_twins(found)
    }

    /// Whom we wrote to: the reader's mail may have been sent on, and then the last recipient is none of ours.
    fn recipient_of(&self, group: &Group, blocks: &[Block], among_others: bool) -> Option<String> {
        let is_wanted = |address: &&String| lines::has(&self.known.wanted, address);
        let named = [&group.last, &group.original, &group.actual];
        let wanted = named.iter().find_map(|it| it.as_ref().filter(is_wanted));
        let is_mailbox = |address: &&String| found_address::next(address, 0).is_some();
        let first = || named.iter().find_map(|it| it.as_ref().filter(is_mailbox));
        let from_words = || if among_others { None } else { blocks.first().map(|block| block.address.clone()) };
        let any = || named.iter().find_map(|it| (*it).clone());
        let returned = || if among_others { None } else { self.known.wanted.first().cloned() };
        wanted.or_else(first).cloned().or_else(from_words).or_else(any).or_else(returned)
    }

    fn is_delay(&self) -> bool {
        self.subject.has(Mark::SubjectDelay) && !self.subject.has(Mark::SubjectBounce)
            || (self.body.has(Mark::BodyDelay) && !self.body.has(Mark::BodyFinal))
            || (self.subject.has(Mark::SubjectDelay) && self.body.has(Mark::BodyDelay))
    }

    /// A mail without fields, read by its words.
    fn own_words(&self) -> Option<Vec<Found>> {
        let head = &self.mail.head;
        let from = head.get("from").and_then(|from| found_address::next(&from, 0).map(|spot| spot.address.to_owned()));
        let daemon = self.from.has(Mark::FromDaemon);
        let failed = head.has("x-failed-recipients");
        let bounce_subject = self.subject.has(Mark::SubjectBounce) || (daemon && self.subject.has(Mark::SubjectDelay));
        let bounce_body = self.body.has(Mark::BodyBounce) || self.body.has(Mark::BodyDelay);
        let is_report = self.mail.kind.is_report("delivery-status");
        if self.is_unsubscribe() && !daemon {
            return Some(vec![Found::plain(Kind::Unsubscribe, from, self.subject())]);
        }
        let bounces = failed || is_report || (bounce_subject && (bounce_body || daemon)) || (daemon && bounce_body);
        let automatic =
            is_automatic(head) || self.subject.has(Mark::SubjectAuto) || self.subject.has(Mark::SubjectChallenge);
        if automatic
            && !failed
            && !is_report
            && !(bounce_subject && (daemon || bounce_body))
            && !(bounces && !self.subject.has(Mark::SubjectAuto) && daemon)
        {
            return Some(vec![Found::plain(Kind::AutoReply, from, self.subject())]);
        }
        let unattended = from_nobody(head) && self.body.has(Mark::BodyAway);
        if !bounces && (unattended || self.body.has(Mark::BodyChallenge)) {
            return Some(vec![Found::plain(Kind::AutoReply, from, self.subject())]);
        }
        if !bounces {
            return None;
        }
        if self.body.has(Mark::BodyDone) && self.subject.has(Mark::SubjectDone) {
            let to = self.addresses();
            return Some(
                to.into_iter().map(|(to, _)| Found::plain(Kind::Delivered, to, "delivered".to_owned())).collect(),
            );
        }
        let kind = if self.is_delay() { Kind::Delayed } else { Kind::Bounce };
        let addresses = self.addresses();
        // A shop's "delivery status" is about a parcel.
        if !daemon && !failed && !is_report && addresses.iter().all(|(address, _)| address.is_none()) {
            return None;
        }
        let among_others = addresses.len() > 1;
        let cases = addresses.into_iter().map(|(recipient, block)| {
            Case { recipient, block: &block, whole: &self.words, among_others, ..Case::default() }.conclude(kind)
        });
        Some(without_twins(cases.collect()))
    }

    /// Recipients with what is said about each: the header's word, the report's, the returned mail's, the envelope's.
    fn addresses(&self) -> Vec<(Option<String>, String)> {
        let blocks = lines::blocks(&self.words, &self.known);
        let head = &self.mail.head;
        let mut found: Vec<(Option<String>, String)> = Vec::new();
        for value in head.all("x-failed-recipients") {
            for spot in found_address::all(&value) {
                let block = blocks.iter().find(|block| same(&block.address, spot.address));
                let only = if blocks.len() == 1 { blocks.first() } else { None };
                let text = block.or(only).map(|block| block.text.clone()).unwrap_or_default();
                found.push((Some(spot.address.to_owned()), text));
            }
        }
        if found.is_empty() {
            found = blocks.into_iter().map(|block| (Some(block.address), block.text)).collect();
        }
        if found.is_empty() && self.known.wanted.len() <= WANTED_MAX {
            found = self.known.wanted.iter().map(|address| (Some(address.clone()), String::new())).collect();
        }
        if found.is_empty() {
            let to = ["x-original-to", "delivered-to", "to"].iter().find_map(|name| {
                let value = head.get(name)?;
                found_address::next(&value, 0).and_then(|spot| found_address::of_verp(spot.address))
            });
            found.push((to, String::new()));
        }
        found
    }

    fn is_unsubscribe(&self) -> bool {
        let head = &self.mail.head;
        if head.has("x-apple-unsubscribe") {
            return true;
        }
        let is_reply_to_us = self.subject.has(Mark::SubjectUnsubscribe);
        let to = head.get("to").unwrap_or_default().to_ascii_lowercase();
        let local = to.split('@').next().unwrap_or_default().to_owned();
        is_reply_to_us || (local.contains("unsub") && !self.subject.has(Mark::SubjectBounce) && !is_automatic(head))
    }
}

/// Sent so that no answer comes.
fn from_nobody(head: &Fields<'_>) -> bool {
    head.get("return-path").is_some_and(|path| path.trim() == "<>")
        || head.get("precedence").is_some_and(|value| matches!(value.trim(), "bulk" | "junk"))
}

/// RFC 3834 §5, and what was in use before it.
fn is_automatic(head: &Fields<'_>) -> bool {
    let is = |name: &str, word: &str| {
        head.get(name).is_some_and(|value| value.trim().to_ascii_lowercase().starts_with(word))
    };
    is("auto-submitted", "auto-")
        || is("precedence", "auto_reply")
        || is("x-apple-action", "vacation")
        || [
            "x-autoreply",
            "x-auto-reply",
            "x-autorespond",
            "x-autoresponder",
            "x-auto-responder",
            "x-mail-autoreply",
            "x-autoreply-from",
            "x-vacation",
            "x-autogenerated",
        ]
        .iter()
        .any(|name| head.has(name) && !is(name, "no"))
        || is("x-pobox-auto", "1")
        || is("return-receipt", "auto")
}

/// The words of a report: its text, or its HTML when the text says nothing.
fn words<'a>(mail: &'a Mail<'a>) -> Cow<'a, str> {
    let mut found = Cow::Borrowed("");
    let before_returned = mail.parts.iter().take_while(|part| part.purpose != Use::Message);
    for part in before_returned.clone().filter(|part| part.purpose == Use::Text) {
        found = join(found, part.text());
    }
    if !found.contains('@') || found.trim().len() < 40 {
        for part in before_returned.filter(|part| part.purpose == Use::Html) {
            found = join(found, Cow::Owned(decode::html_text(&part.text())));
        }
    }
    if found.len() > WORDS_BYTES_MAX {
        let mut end = WORDS_BYTES_MAX;
        while !found.is_char_boundary(end) {
            end -= 1;
        }
        found = Cow::Owned(found[..end].to_owned());
    }
    found
}

fn join<'a>(one: Cow<'a, str>, other: Cow<'a, str>) -> Cow<'a, str> {
    if one.is_empty() { other } else { Cow::Owned(format!("{one}\n{other}")) }
}

/// The header of what was returned within the text: from the first line that is a field.
fn returned_fields(text: &str) -> Fields<'_> {
    let is_field =
        |line: &str| line.split_once(": ").is_some_and(|(name, _)| !name.is_empty() && !name.contains([' ', '@', '<']));
    let mut at = 0;
    for line in text.split_inclusive('\n').take(40) {
        if is_field(line) {
            return Fields::read(&text.as_bytes()[at..]).0;
        }
        at += line.len();
    }
    Fields::default()
}

/// Whose addresses stand in the report, by its header and by the header of what was returned.
fn known(head: &Fields<'_>, returned: &Fields<'_>) -> Known {
    let mut known = Known::default();
    let add = |list: &mut Vec<String>, value: &str| {
        for spot in found_address::all(value).take(RECIPIENTS_MAX) {
            if list.len() < RECIPIENTS_MAX && !lines::has(list, spot.address) {
                list.push(spot.address.to_owned());
            }
        }
    };
    for name in ["from", "sender", "return-path", "reply-to", "errors-to", "x-envelope-from"] {
        returned.all(name).for_each(|value| add(&mut known.own, &value));
    }
    for name in ["to", "cc", "bcc", "apparently-to", "x-hmxmroriginalrecipient"] {
        returned.all(name).for_each(|value| add(&mut known.wanted, &value));
    }
    for name in ["to", "delivered-to", "x-original-to", "envelope-to", "from"] {
        head.all(name).for_each(|value| add(&mut known.own, &value));
    }
    known.wanted.retain(|address| !lines::has(&known.own, address));
    known
}

/// One thing for each recipient: reports repeat themselves.
fn without_twins(found: Vec<Found>) -> Vec<Found> {
    let mut kept: Vec<Found> = Vec::with_capacity(found.len());
    for one in found {
        let twin = kept.iter_mut().find(|other| match (&other.recipient, &one.recipient) {
            (Some(other), Some(one)) => same(other, one),
            (None, None) => true,
            _ => false,
        });
        match twin {
            // The one that knows more.
            Some(twin) if twin.class == super::Class::Unclassified => *twin = one,
            Some(_) => {}
            None => kept.push(one),
        }
    }
    kept
}
