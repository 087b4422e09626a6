//! The table. Numbers are those of the reply lists that the rows come from: providers' published codes (Gmail, Yahoo,
//! Microsoft, Apple, qq.com, 163.com) and RFC 3463, 5321, 7372, 7505.

use super::{Class, Fault};
use crate::delivery::reply::{Reply, Stage};
use crate::values::clock::Millis;

/// When a row fits: every part that is not empty must.
pub(super) struct Rule {
    /// Names the row. Every row has a line under this name in the tests.
    #[cfg_attr(not(test), expect(dead_code, reason = "it is for the tests and for whoever reads the table"))]
    pub(super) name: &'static str,
    stages: &'static [Stage],
    /// Exact codes; 4 and 5 stand for 4xx and 5xx.
    codes: &'static [u16],
    /// Subject and detail of the enhanced code, "1.1" for 4.1.1 and 5.1.1; "7." for the whole subject.
    enhanced: &'static [&'static str],
    /// Any of these in the text, in lower case.
    texts: &'static [&'static str],
    pub(super) then: Then,
}

/// What a row concludes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// 5xx: the address is no good. 4xx: try again.
    Hard(Class),
    /// Given up, whatever the code; nothing against the address.
    Soft(Class),
    /// 4xx: try again, after at least so long; 5xx: given up, nothing against the address.
    ByCode(Class, Option<i64>),
    /// Try again, whatever the code.
    Later(Class, Option<i64>),
    Ours(Fault),
}

use Stage::{AfterDot, Auth, Connect, Data, Ehlo, Greeting, MailFrom, RcptTo, StartTls};
use Then::{ByCode, Hard, Later, Ours, Soft};

const FROM_RCPT: &[Stage] = &[RcptTo, Data, AfterDot];
const AT_RCPT: &[Stage] = &[RcptTo];
const AT_TEXT: &[Stage] = &[Data, AfterDot];
const AT_MAIL: &[Stage] = &[MailFrom];
const ANY_CODE: &[u16] = &[];
const ANY: &[&str] = &[];

/// Waits that the providers publish for their throttles.
const GMAIL_RATE: Option<i64> = Some(10 * Millis::MINUTE);
const OUTLOOK_RATE: Option<i64> = Some(15 * Millis::MINUTE);
const APPLE_RATE: Option<i64> = Some(15 * Millis::MINUTE);
const YAHOO_RATE: Option<i64> = Some(2 * Millis::HOUR);
const HOUR: Option<i64> = Some(Millis::HOUR);
const GREYLIST: Option<i64> = Some(5 * Millis::MINUTE);

const fn rule(
    name: &'static str,
    stages: &'static [Stage],
    codes: &'static [u16],
    enhanced: &'static [&'static str],
    texts: &'static [&'static str],
    then: Then,
) -> Rule {
    Rule { name, stages, codes, enhanced, texts, then }
}

/// In order; the first that fits counts.
#[rustfmt::skip]
pub(super) const TABLE: &[Rule] = &[
    // Ours, by stage. The size is the one thing at MAIL that is the text's (RFC 1870 §6.1).
    rule("greeting-later", &[Connect, Greeting], &[4], ANY, ANY, Ours(Fault::Busy)),
    rule("greeting-no", &[Connect, Greeting], ANY_CODE, ANY, ANY, Ours(Fault::Refused)),
    rule("tls-first", &[Ehlo, Auth, MailFrom], ANY_CODE, &["7.29"], ANY, Ours(Fault::Tls)),
    rule("tls-first-text", &[Ehlo, Auth, MailFrom], &[530, 523, 538], ANY, &["starttls"], Ours(Fault::Tls)),
    rule("hello-later", &[Ehlo], &[4], ANY, ANY, Ours(Fault::Busy)),
    rule("hello", &[Ehlo], ANY_CODE, ANY, ANY, Ours(Fault::Hello)),
    rule("starttls", &[StartTls], ANY_CODE, ANY, ANY, Ours(Fault::Tls)),
    rule("auth", &[Auth], ANY_CODE, ANY, ANY, Ours(Fault::Auth)),
    rule("mail-auth-wanted", AT_MAIL, &[530, 535, 534], ANY, ANY, Ours(Fault::Auth)),
    rule("mail-too-big", AT_MAIL, &[552], &["3.4"], ANY, Soft(Class::TooBig)),
    rule("mail-too-big-text", AT_MAIL, &[552], ANY, &["size", "too big", "too large"], Soft(Class::TooBig)),
    rule("mail-blocked", AT_MAIL, &[5], ANY, &["spamhaus", "blocklist", "blacklist", "block list", "[bl2", "s3140", "s3150", "sc-004", "ou-001"], Ours(Fault::Refused)),
    rule("mail-yahoo-permanent", AT_MAIL, ANY_CODE, ANY, &["[tss09]", "[tss11]"], Ours(Fault::Refused)),
    rule("mail-later", AT_MAIL, &[4], ANY, ANY, Ours(Fault::Busy)),
    rule("mail", AT_MAIL, ANY_CODE, ANY, ANY, Ours(Fault::Sender)),

    // Ours, said late: the relay does not relay, receivers miss our authentication.
    rule("relay-denied", FROM_RCPT, &[4, 5], ANY, &["relay access denied", "relaying denied", "relay not permitted", "unable to relay", "not permitted to relay", "relay denied", "not our customer", "authentication required", "authenticate first"], Ours(Fault::Relaying)),
    rule("auth-wanted", FROM_RCPT, &[530, 535], ANY, ANY, Ours(Fault::Relaying)),
    rule("not-authenticated", AT_TEXT, ANY_CODE, &["7.20", "7.21", "7.22", "7.23", "7.24", "7.25", "7.26", "7.27", "7.30", "7.31", "7.32", "7.40", "7.515"], ANY, Ours(Fault::Sender)),
    rule("not-authenticated-yahoo", AT_TEXT, &[550, 554], &["7.9"], ANY, Ours(Fault::Sender)),

    // Throttles, in the providers' own words; some wear a 5xx.
    rule("yahoo-permanent", FROM_RCPT, ANY_CODE, ANY, &["[tss09]", "[tss11]"], Soft(Class::Blocked)),
    rule("gmail-rate", FROM_RCPT, &[4], &["7.28"], ANY, Later(Class::Throttled, GMAIL_RATE)),
    rule("yahoo-rate", FROM_RCPT, &[4], ANY, &["[tss0", "[ts01]", "[ts02]", "[ts03]"], Later(Class::Throttled, YAHOO_RATE)),
    rule("outlook-rate", FROM_RCPT, &[4], ANY, &["rp-001", "rp-002", "rp-003", "server busy"], Later(Class::Throttled, OUTLOOK_RATE)),
    rule("apple-rate", FROM_RCPT, &[4], ANY, &["excessive volume", "[hcm1]"], Later(Class::Throttled, APPLE_RATE)),
    rule("china-rate", FROM_RCPT, &[5], ANY, &["frequency limited", "dt:spm", "rp:orq"], Later(Class::Throttled, HOUR)),
    rule("too-many-connections", FROM_RCPT, &[4], ANY, &["too many connections", "too many concurrent", "ib007", "max messages per connection", "too many messages"], Later(Class::Throttled, None)),
    rule("relay-rate", FROM_RCPT, &[454, 421, 450, 451, 452], ANY, &["throttl", "rate exceeded", "rate limit", "sending rate"], Later(Class::Throttled, None)),

    // The reader's mailbox.
    rule("reader-rate", FROM_RCPT, ANY_CODE, &["2.1"], &["too quickly", "at a rate", "rate that"], Later(Class::RecipientThrottled, HOUR)),
    rule("too-many-recipients", FROM_RCPT, &[452, 552, 550, 451], &["5.3"], ANY, Later(Class::TooManyRecipients, None)),
    rule("too-many-recipients-text", FROM_RCPT, &[452, 552], ANY, &["too many recipients"], Later(Class::TooManyRecipients, None)),
    rule("no-mailbox-at-text", AT_TEXT, &[552, 554, 550], ANY, &["mailbox not found", "mailbox unavailable: no such"], Hard(Class::UnknownUser)),
    rule("disabled-text", FROM_RCPT, &[4, 5], ANY, &["mailbox is disabled", "mailbox disabled", "account is disabled", "account disabled", "account that you tried to reach is disabled", "account has been disabled", "account is inactive", "inactive mailbox", "mailbox is inactive", "user is suspended", "account suspended", "account has been suspended", "disableduser"], Hard(Class::Disabled)),
    rule("full", FROM_RCPT, ANY_CODE, &["2.2"], ANY, ByCode(Class::MailboxFull, HOUR)),
    rule("full-text", FROM_RCPT, &[4, 5], ANY, &["over quota", "overquota", "quota exceeded", "exceeded storage", "mailbox full", "mailbox is full", "out of storage", "insufficient storage in mailbox"], ByCode(Class::MailboxFull, HOUR)),
    rule("unknown-text", AT_RCPT, &[550, 551, 553, 554], ANY, &["user unknown", "unknown user", "no such user", "no such recipient", "no such mailbox", "no mailbox here", "recipient unknown", "unknown recipient", "does not exist", "doesn't exist", "mailbox unavailable", "invalid recipient", "user not found", "recipient not found", "address unknown", "unknown local"], Hard(Class::UnknownUser)),
    rule("null-mx", FROM_RCPT, &[4, 5], &["1.10"], ANY, Hard(Class::NoMail)),
    rule("null-mx-code", AT_RCPT, &[556], ANY, ANY, Hard(Class::NoMail)),
    rule("null-mx-owner", FROM_RCPT, &[4, 5], &["7.18"], ANY, Hard(Class::BadDomain)),
    rule("unknown", FROM_RCPT, &[4, 5], &["1.1", "1.0"], ANY, Hard(Class::UnknownUser)),
    rule("bad-domain", FROM_RCPT, &[4, 5], &["1.2"], ANY, Hard(Class::BadDomain)),
    rule("bad-domain-text", AT_RCPT, &[5], ANY, &["domain not found", "domain does not exist", "host unknown", "no such domain", "nxdomain"], Hard(Class::BadDomain)),
    rule("bad-syntax", FROM_RCPT, &[4, 5], &["1.3"], ANY, Hard(Class::BadSyntax)),
    rule("moved", FROM_RCPT, &[4, 5], &["1.6", "7.17"], ANY, Hard(Class::Moved)),
    rule("moved-code", AT_RCPT, &[551], ANY, ANY, Hard(Class::Moved)),
    rule("disabled", FROM_RCPT, &[4, 5], &["2.1", "7.13"], ANY, Hard(Class::Disabled)),
    rule("disabled-code", AT_RCPT, &[525], ANY, ANY, Hard(Class::Disabled)),
    rule("access-denied", AT_RCPT, &[5], &["4.1"], &["access denied"], Soft(Class::AccessDenied)),
    rule("greylist", AT_RCPT, &[4], ANY, &["greylist", "graylist", "grey list", "postgrey", "try again", "come back later"], Later(Class::Greylisted, GREYLIST)),
    rule("greylist-enhanced", AT_RCPT, &[450, 451], &["2.0", "7.1"], ANY, Later(Class::Greylisted, GREYLIST)),

    // The text, or what we are taken for.
    rule("unsupported", FROM_RCPT, &[4, 5], &["6.7"], ANY, Soft(Class::Unsupported)),
    rule("too-big", FROM_RCPT, &[5], &["3.4", "2.3"], ANY, Soft(Class::TooBig)),
    rule("too-big-text", FROM_RCPT, &[552], ANY, &["size", "too big", "too large", "header"], Soft(Class::TooBig)),
    rule("attachment", AT_TEXT, &[552], &["7.0"], ANY, Soft(Class::Spam)),
    rule("malformed", AT_TEXT, &[5], &["6."], ANY, Soft(Class::Malformed)),
    rule("malformed-text", AT_TEXT, &[5], ANY, &["rfc 5322", "rfc5322", "rfc 2822", "bare lf", "bare <lf>", "malformed", "message-id"], Soft(Class::Malformed)),
    rule("spam", FROM_RCPT, ANY_CODE, ANY, &["spam", "unsolicited", "junk", "ph01", "cs01", "sc-001", "hme1", "likely unsol", "content reject", "suspicious"], ByCode(Class::Spam, HOUR)),
    rule("blocked-text", FROM_RCPT, &[5], ANY, &["spamhaus", "blocklist", "blacklist", "block list", "blocked", "reputation", "banned", "s3140", "s3150", "sc-004", "ou-001"], Soft(Class::Blocked)),
    rule("blocked", FROM_RCPT, &[5], &["7.1", "7.2", "7.0", "7.3"], ANY, Soft(Class::Blocked)),

    // Misunderstandings: once more on a fresh connection costs little, and the 72 hours end it.
    rule("protocol", FROM_RCPT, &[500, 501, 502, 503, 504, 555], ANY, ANY, Later(Class::Protocol, None)),
    rule("routing", AT_RCPT, &[5], &["4.4", "1.4"], ANY, Soft(Class::BadDomain)),

    // Everything else.
    rule("other-4xx", &[], &[4], ANY, ANY, Later(Class::Transient, None)),
    rule("other-5xx", &[], ANY_CODE, ANY, ANY, Soft(Class::Unclassified)),
];

impl Rule {
    /// Whether this row is the one; `text` is the reply's in lower case.
    pub(super) fn fits(&self, reply: &Reply, text: &str) -> bool {
        let code = |wanted: &u16| *wanted == reply.code || (*wanted < 10 && *wanted == reply.code / 100);
        (self.stages.is_empty() || self.stages.contains(&reply.stage))
            && (self.codes.is_empty() || self.codes.iter().any(code))
            && (self.enhanced.is_empty() || self.enhanced.iter().any(|wanted| detail_fits(reply, wanted)))
            && (self.texts.is_empty() || self.texts.iter().any(|wanted| text.contains(wanted)))
    }
}

/// "1.1" fits 5.1.1 and 4.1.1 and not 5.1.10; "6." fits everything under subject 6.
fn detail_fits(reply: &Reply, wanted: &str) -> bool {
    let Some((_class, detail)) = reply.enhanced.as_deref().and_then(|code| code.split_once('.')) else {
        return false;
    };
    if wanted.ends_with('.') { detail.starts_with(wanted) } else { detail == wanted }
}
