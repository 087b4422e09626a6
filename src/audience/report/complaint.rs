//! Complaints: RFC 5965 and the form of Microsoft's that is older than it.

use super::found_address::{self, of_field, of_verp};
use super::mime::{Fields, Mail, Use};
use super::{Class, Found, Kind};

/// The complaint that `mail` is, if it is one.
pub(super) fn read(mail: &Mail<'_>) -> Option<Vec<Found>> {
    let feedback = mail.first(Use::Feedback).map(|part| part.text().into_owned());
    let feedback = feedback.or_else(|| {
        let text =
            mail.parts.iter().filter(|part| part.purpose == Use::Text).map(super::mime::Part::text).find(|text| {
                mail.kind.is_report("feedback-report")
                    || (text.contains("Feedback-Type:") && text.contains("User-Agent:"))
            });
        text.map(|text| text.into_owned())
    });
    let subject = mail.head.get("subject").unwrap_or_default().to_lowercase();
    let from = mail.head.get("from").unwrap_or_default().to_lowercase();
    let is_microsoft = subject.contains("complaint about message from")
        || (from.contains("staff@hotmail") && mail.first(Use::Message).is_some());
    let feedback = feedback.or_else(|| is_microsoft.then(String::new))?;
    let returned = mail.parts.iter().rev().find(|part| part.purpose == Use::Message);
    let returned_fields = returned.map(|part| Fields::read(&part.body).0).unwrap_or_default();
    let begin = feedback.to_ascii_lowercase().find("feedback-type").unwrap_or(0);
    let (fields, _) = Fields::read(&feedback.as_bytes()[begin..]);
    let kind = match fields.get("feedback-type").unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "not-spam" | "auth-failure" | "dmarc" => Kind::Other,
        "opt-out" | "opt-out-list" => Kind::Unsubscribe,
        _ => Kind::Complaint,
    };
    let recipients = if kind == Kind::Other { Vec::new() } else { recipients(&fields, &returned_fields, mail) };
    let text =
        fields.get("feedback-type").map_or_else(|| subject.clone(), |kind| format!("feedback-type: {}", kind.trim()));
    let found = |recipient| Found {
        kind,
        recipient,
        status: None,
        reply: None,
        class: Class::Unclassified,
        hard: false,
        text: text.clone(),
    };
    Some(if recipients.is_empty() {
        vec![found(None)]
    } else {
        recipients.into_iter().map(|it| found(Some(it))).collect()
    })
}

/// Whom the complaint is from: the reporter's own word first, then what it left of the returned header.
fn recipients(feedback: &Fields<'_>, returned: &Fields<'_>, mail: &Mail<'_>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut add = |value: &str| {
        if let Some(address) = of_field(value).filter(|address| !is_redacted(address))
            && !super::lines::has(&found, &address)
        {
            found.push(address);
        }
    };
    for name in ["original-rcpt-to", "removal-recipient"] {
        feedback.all(name).for_each(|value| add(&value));
    }
    if found.is_empty() {
        let own =
            ["x-hmxmroriginalrecipient", "x-hmxmr-original-recipient", "x-original-to", "delivered-to", "to", "cc"];
        for name in own {
            let mut add = |value: &str| {
                found.extend(
                    found_address::all(value)
                        .map(|spot| spot.address.to_owned())
                        .filter(|address| !is_redacted(address)),
                );
            };
            returned.all(name).for_each(|value| add(&value));
            if name.starts_with("x-hm") {
                mail.head.all(name).for_each(|value| add(&value));
            }
            if !found.is_empty() {
                break;
            }
        }
    }
    if found.is_empty() {
        let senders = feedback.get("original-mail-from").into_iter().chain(returned.get("return-path"));
        found.extend(senders.filter_map(|value| of_field(&value).and_then(|address| of_verp(&address))).take(1));
    }
    found.truncate(super::lines::RECIPIENTS_MAX);
    found
}

/// Reporters black out addresses in ways of their own.
fn is_redacted(address: &str) -> bool {
    let lower = address.to_ascii_lowercase();
    ["redacted", "xxxx", "undisclosed", "removed@", "hidden", "anonym"].iter().any(|word| lower.contains(word))
        || lower.starts_with('*')
}
