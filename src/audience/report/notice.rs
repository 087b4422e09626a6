//! Notices of Amazon SES that were sent on as mail: JSON in place of a report.

use serde_json::Value;

use super::code::Status;
use super::refusal::Case;
use super::{Class, Found, Kind};

/// What the notice says, when `text` is one.
pub(super) fn read(text: &str) -> Option<Vec<Found>> {
    let text = text.trim_start();
    if !text.starts_with('{') {
        return None;
    }
    // Something may stand behind the JSON: how to leave the topic.
    let notice = serde_json::Deserializer::from_str(text).into_iter::<Value>().next()?.ok()?;
    let inner = notice.get("Message").and_then(Value::as_str).and_then(|inner| serde_json::from_str(inner).ok());
    let notice = inner.unwrap_or(notice);
    let kind = notice.get("notificationType").or_else(|| notice.get("eventType"))?.as_str()?;
    let list = |part: &str, name: &str| notice.get(part)?.get(name)?.as_array().cloned();
    let address = |it: &Value| it.as_str().or_else(|| it.get("emailAddress")?.as_str()).map(str::to_owned);
    let found: Vec<Found> = match kind {
        "Bounce" => list("bounce", "bouncedRecipients")?.iter().map(|it| bounced(&notice, it, address(it))).collect(),
        "Complaint" => list("complaint", "complainedRecipients")?
            .iter()
            .map(|it| Found::plain(Kind::Complaint, address(it), "complaint".to_owned()))
            .collect(),
        "Delivery" => list("delivery", "recipients")?
            .iter()
            .map(|it| Found::plain(Kind::Delivered, address(it), "delivered".to_owned()))
            .collect(),
        _ => return None,
    };
    (!found.is_empty()).then_some(found)
}

fn bounced(notice: &Value, recipient: &Value, address: Option<String>) -> Found {
    let word =
        |name: &str| notice.get("bounce").and_then(|it| it.get(name)).and_then(Value::as_str).unwrap_or_default();
    let field = |name: &str| recipient.get(name).and_then(Value::as_str).unwrap_or_default();
    let diagnostic = field("diagnosticCode").trim_start_matches("smtp;");
    let case = Case { recipient: address, status: Status::read(field("status")), diagnostic, ..Case::default() };
    let mut found = case.conclude(Kind::Bounce);
    found.class = match word("bounceSubType") {
        "MailboxFull" => Class::MailboxFull,
        "MessageTooLarge" => Class::TooBig,
        "ContentRejected" | "AttachmentRejected" => Class::Block,
        "NoEmail" | "Suppressed" if found.class == Class::Unclassified => Class::UnknownUser,
        _ => found.class,
    };
    found.hard = found.hard && found.class.may_be_hard() && word("bounceType") != "Transient";
    found
}
