//! Circuit breakers: when an issue is better paused than sent on. Pure: counts in, a verdict out.
//!
//! One [`Breaker`] watches one issue from the moment it begins to go out, or goes on after a pause: whoever resumes
//! has seen the reason, so old numbers do not count again. Shares are of what all processes have seen together.

use super::outcome::{Blame, Fault};
use super::state::DeliveryState;
use super::step::End;

/// What became of one try, as far as breakers care.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    Sent,
    /// The address is no good.
    HardBounce,
    /// Refused for what it says.
    Content,
    /// Given up for another reason.
    Refused,
    /// We misunderstood the relay, or it does not carry our mail.
    Ours,
    /// The sender was refused, or its SPF, DKIM or DMARC.
    Sender,
    /// Too big, or what is in it is not taken: every copy would be refused.
    SameForAll(Fault),
}

impl Event {
    /// What an end of a try means here; nothing where it says nothing about the issue.
    #[must_use]
    pub fn of(end: &End) -> Option<Self> {
        match (end.to, end.note.fault, end.note.blame) {
            (DeliveryState::Sent, ..) => Some(Self::Sent),
            (_, Some(Fault::Sender), _) => Some(Self::Sender),
            (_, Some(fault @ (Fault::TooBig | Fault::Malformed | Fault::Content)), _) => Some(Self::SameForAll(fault)),
            (_, Some(_), _) => None,
            (DeliveryState::Failed, ..) if end.hard => Some(Self::HardBounce),
            (DeliveryState::Failed | DeliveryState::Pending, _, Some(Blame::Content)) => Some(Self::Content),
            (DeliveryState::Failed | DeliveryState::Pending, _, Some(Blame::Us)) => Some(Self::Ours),
            (DeliveryState::Failed, _, Some(_)) => Some(Self::Refused),
            _ => None,
        }
    }
}

/// Why an issue is to be paused, in two sentences for the editor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    pub why: String,
    pub what_to_do: &'static str,
}

/// Answers of one issue since it began or went on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Of any kind.
    pub answers: i64,
    pub sent: i64,
    pub hard: i64,
    pub content: i64,
    pub ours: i64,
    pub sender: i64,
    pub same: i64,
}

impl Tally {
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            answers: self.answers + other.answers,
            sent: self.sent + other.sent,
            hard: self.hard + other.hard,
            content: self.content + other.content,
            ours: self.ours + other.ours,
            sender: self.sender + other.sender,
            same: self.same + other.same,
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How often something happened since the last message that was taken. Each process counts its own: a row of
/// refusals is a row on one machine's way out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct InARow {
    content: u32,
    ours: u32,
    sender: u32,
    same: u32,
    /// Refusals of any kind.
    any: u32,
}

/// What one process knows of an issue: the sum of all processes when it last looked, and what it saw since.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Breaker {
    shared: Tally,
    mine: Tally,
    in_a_row: InARow,
}

/// A limit: so many in a row, or more than so many of a thousand once there are enough answers to say so.
#[derive(Clone, Copy, Debug)]
struct Limit {
    in_a_row: u32,
    permille: u32,
    after: u32,
}

/// Nothing counts in a row.
const NEVER: u32 = u32::MAX;
/// More than 5 % unknown addresses mark a list that was bought or is years old; receivers block who mails it.
const HARD: Limit = Limit { in_a_row: NEVER, permille: 50, after: 200 };
/// Gmail and Yahoo: never reach 0.3 % of complaints; under a thousand messages one or two angry readers are no share.
const COMPLAINTS: Limit = Limit { in_a_row: NEVER, permille: 2, after: 1_000 };
/// The first twenty refused for their content, or one in a hundred: the text has something that filters look for.
const CONTENT: Limit = Limit { in_a_row: 20, permille: 10, after: 1_000 };
/// Faults of ours that are charged to nobody but would go on to the end of the list.
const OURS: Limit = Limit { in_a_row: 20, permille: 50, after: 200 };
/// Three refusals for a missing SPF, DKIM or DMARC are no accident.
const SENDER: Limit = Limit { in_a_row: 3, permille: 10, after: 100 };
/// A relay whose limit is below the message's size says the same to every copy.
const TOO_BIG: Limit = Limit { in_a_row: 1, permille: 0, after: 0 };
/// What is said of the message's form may come from one odd server behind the relay.
const SAME_FOR_ALL: Limit = Limit { in_a_row: 3, permille: 10, after: 100 };
/// Whatever the reasons: when nobody takes it, somebody should look.
const REFUSED_IN_A_ROW: u32 = 20;

impl Limit {
    fn is_passed(self, in_a_row: u32, all: i64, of: i64) -> bool {
        let share = all * 1_000 > i64::from(self.permille) * of;
        in_a_row >= self.in_a_row || (of >= i64::from(self.after) && all > 0 && share)
    }
}

/// Whether so many complaints about so many messages are to stop the rest, and why.
#[must_use]
pub fn complained(complaints: i64, sent: i64) -> Option<Pause> {
    COMPLAINTS.is_passed(0, complaints, sent).then(|| Pause {
        why: format!("{complaints} of {sent} readers called it spam; providers allow three in a thousand."),
        what_to_do: "Ask yourself who did not expect this issue; going on harms every later one. Cancel the rest, or \
            resume for those who asked for it.",
    })
}

impl Breaker {
    /// Counts what happened; says whether the issue is to be paused, and why.
    pub fn saw(&mut self, event: Event) -> Option<Pause> {
        self.count(event);
        let (all, row) = (self.shared.plus(self.mine), self.in_a_row);
        let of = all.answers;
        match event {
            Event::Sent => None,
            Event::HardBounce if HARD.is_passed(0, all.hard, of) => Some(Pause {
                why: format!("{} of {of} addresses do not exist, which is more than one in twenty.", all.hard),
                what_to_do: "Look where these subscribers came from and take them out before you resume; mail \
                    providers block senders with lists like this.",
            }),
            Event::Content if CONTENT.is_passed(row.content, all.content, of) => Some(Pause {
                why: format!("{} of {of} messages were refused for what they say.", all.content),
                what_to_do: "Read the refusals on this page: a link, a file or a phrase is taken for spam. Resume to \
                    go on as it is, or cancel the rest and send a corrected issue.",
            }),
            Event::Ours if OURS.is_passed(row.ours, all.ours, of) => Some(Pause {
                why: format!("The relay did not understand us, or would not carry our mail, {} times.", all.ours),
                what_to_do: "Check the relay's settings (user name, this machine on its list) and test it, then resume.",
            }),
            Event::Sender if SENDER.is_passed(row.sender, all.sender, of) => Some(Pause {
                why: format!("The sender was refused {} times.", all.sender),
                what_to_do: "Check the newsletter's address and its SPF, DKIM and DMARC records, then resume.",
            }),
            Event::SameForAll(fault) => self.same_for_all(fault),
            _ => self.nobody_takes_it(),
        }
    }

    /// What this process saw since it was last asked; others are to be told.
    pub fn news(&mut self) -> Tally {
        let news = std::mem::take(&mut self.mine);
        self.shared = self.shared.plus(news);
        news
    }

    /// They could not be told.
    pub fn take_back(&mut self, news: Tally) {
        self.mine = self.mine.plus(news);
    }

    /// Whether there is anything to tell.
    #[must_use]
    pub fn has_news(&self) -> bool {
        !self.mine.is_empty()
    }

    /// The sum of all processes, this one's news among them.
    pub fn learn(&mut self, shared: Tally) {
        self.shared = shared;
    }

    fn count(&mut self, event: Event) {
        let (mine, row) = (&mut self.mine, &mut self.in_a_row);
        mine.answers += 1;
        row.any += 1;
        let kind = match event {
            Event::Sent => {
                mine.sent += 1;
                *row = InARow::default();
                return;
            }
            Event::HardBounce => {
                mine.hard += 1;
                return;
            }
            Event::Refused => return,
            Event::Content => (&mut mine.content, &mut row.content),
            Event::Ours => (&mut mine.ours, &mut row.ours),
            Event::Sender => (&mut mine.sender, &mut row.sender),
            Event::SameForAll(_) => (&mut mine.same, &mut row.same),
        };
        *kind.0 += 1;
        *kind.1 += 1;
    }

    fn same_for_all(&self, fault: Fault) -> Option<Pause> {
        let limit = if fault == Fault::TooBig { TOO_BIG } else { SAME_FOR_ALL };
        let all = self.shared.plus(self.mine);
        limit.is_passed(self.in_a_row.same, all.same, all.answers).then(|| Pause {
            why: match fault {
                Fault::TooBig => "The message is bigger than the relay takes; every copy would be refused.".into(),
                Fault::Malformed => "The relay says that the message is not built as it should be.".into(),
                _ => "The relay takes no message with this in it.".into(),
            },
            what_to_do: match fault {
                Fault::TooBig => {
                    "Have the relay's limit raised and resume, or cancel and send it with smaller pictures."
                }
                Fault::Malformed => {
                    "Read the refusals on this page and tell us: this is a fault of the program. Or use \
                    another relay and resume."
                }
                _ => {
                    "Read the refusals on this page; cancel the rest and send a corrected issue, or use another relay \
                    and resume."
                }
            },
        })
    }

    fn nobody_takes_it(&self) -> Option<Pause> {
        (self.in_a_row.any >= REFUSED_IN_A_ROW).then(|| Pause {
            why: format!("{} messages in a row were refused.", self.in_a_row.any),
            what_to_do: "Read the refusals on this page, mend what they name, then resume.",
        })
    }
}

impl Pause {
    /// Both sentences, and the last answer's own words.
    #[must_use]
    pub fn told(&self, last_answer: &str) -> String {
        let Self { why, what_to_do } = self;
        if last_answer.is_empty() {
            format!("{why} {what_to_do}")
        } else {
            format!("{why} The last answer was “{last_answer}”. {what_to_do}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Breaker, Event, Pause, Tally, complained};
    use crate::delivery::outcome::Fault;
    use crate::delivery::reply::{Answer, Reply, Stage};
    use crate::delivery::step::{Tried, step};
    use crate::values::clock::Millis;
    use Event::{Content, HardBounce, Ours, Refused, SameForAll, Sender, Sent};

    /// At which event of a pattern it trips; a short one is repeated.
    fn trips(pattern: &[(usize, Event)]) -> Option<(usize, String)> {
        let mut breaker = Breaker::default();
        let once = pattern.iter().flat_map(|(times, event)| std::iter::repeat_n(*event, *times));
        let events: Vec<Event> = once.collect();
        let many = if events.len() > 100 { events.len() } else { 5_000 };
        events
            .iter()
            .cycle()
            .take(many)
            .enumerate()
            .find_map(|(n, event)| breaker.saw(*event).map(|pause| (n + 1, pause.why)))
    }

    #[test]
    fn each_breaker_trips_at_its_limit_and_not_before() {
        for (pattern, at) in [
            (&[(1, Sent)][..], None),
            (&[(19, Sent), (1, HardBounce)], None),
            (&[(9, Sent), (1, HardBounce)], Some(200)),
            (&[(199, Sent), (9, HardBounce), (5_000, Sent)], None),
            (&[(20, HardBounce)], Some(20)),
            (&[(20, Content)], Some(20)),
            (&[(19, Content), (1, Sent), (3_000, Sent)], None),
            (&[(49, Sent), (1, Content)], Some(1_000)),
            (&[(20, Ours)], Some(20)),
            (&[(9, Sent), (1, Ours)], Some(200)),
            (&[(3, Sender)], Some(3)),
            (&[(2, Sender), (1, Sent), (3_000, Sent)], None),
            (&[(1, SameForAll(Fault::TooBig))], Some(1)),
            (&[(3, SameForAll(Fault::Malformed))], Some(3)),
            (&[(2, SameForAll(Fault::Malformed)), (5_000, Sent)], None),
            (&[(20, Refused)], Some(20)),
            (&[(10, Refused), (5, HardBounce), (5, Content)], Some(20)),
            (&[(19, Refused), (1, Sent)], None),
        ] {
            assert_eq!(trips(pattern).map(|(n, _)| n), at, "{pattern:?}");
        }
    }

    #[test]
    fn two_or_three_complaints_in_a_thousand_stop_it() {
        for (complaints, sent, stops) in [(3, 1_000, true), (2, 1_000, false), (50, 999, false), (4, 2_000, false)] {
            assert_eq!(complained(complaints, sent).is_some(), stops, "{complaints} of {sent}");
        }
    }

    #[test]
    fn what_others_saw_counts_for_the_share_and_nothing_counts_twice() {
        let (mut here, mut there) = (Breaker::default(), Breaker::default());
        for n in 0..100 {
            for breaker in [&mut here, &mut there] {
                assert_eq!(breaker.saw(if n % 20 == 1 { HardBounce } else { Sent }), None);
            }
        }
        let sum = here.news().plus(there.news());
        assert_eq!(sum, Tally { answers: 200, sent: 190, hard: 10, ..Tally::default() });
        assert!(here.news().is_empty());
        here.learn(sum);
        let pause = here.saw(HardBounce).expect("eleven of 201 are more than one in twenty");
        assert!(pause.why.starts_with("11 of 201"), "{}", pause.why);
    }

    #[test]
    fn after_a_pause_old_numbers_do_not_count() {
        let mut breaker = Breaker::default();
        assert!((0..20).filter_map(|_| breaker.saw(Content)).count() == 1);
        let mut resumed = Breaker::default();
        assert_eq!((0..19).find_map(|_| resumed.saw(Content)), None);
    }

    #[test]
    fn ends_of_tries_are_seen_for_what_they_are() {
        let tried = Tried { attempts: 0, first_at: Millis(0), now: Millis(0) };
        let event = |stage, code, text: &str| {
            let reply = Reply { stage, code, enhanced: None, text: text.into() };
            Event::of(&step(tried, &Answer::Reply(reply), 0.5).0)
        };
        assert_eq!(event(Stage::AfterDot, 250, "ok"), Some(Sent));
        assert_eq!(event(Stage::RcptTo, 550, "user unknown"), Some(HardBounce));
        assert_eq!(event(Stage::AfterDot, 554, "looks like spam"), Some(Content));
        assert_eq!(event(Stage::AfterDot, 451, "looks like spam"), Some(Content));
        assert_eq!(event(Stage::RcptTo, 554, "relay access denied"), Some(Ours));
        assert_eq!(event(Stage::MailFrom, 550, "no such sender"), Some(Sender));
        assert_eq!(event(Stage::MailFrom, 552, "message size exceeded"), Some(SameForAll(Fault::TooBig)));
        assert_eq!(event(Stage::AfterDot, 585, "no"), Some(Refused));
        assert_eq!(event(Stage::RcptTo, 450, "greylisted"), None);
        assert_eq!(event(Stage::MailFrom, 421, "busy"), None);
        let unclear = Answer::Unclear { why: "cut".into() };
        assert_eq!(Event::of(&step(tried, &unclear, 0.5).0), None);
    }

    #[test]
    fn what_is_told_has_the_reason_the_answer_and_what_to_do() {
        let pause = Pause { why: "It was refused.".into(), what_to_do: "Mend it." };
        assert_eq!(pause.told("550 No"), "It was refused. The last answer was “550 No”. Mend it.");
        assert_eq!(pause.told(""), "It was refused. Mend it.");
    }
}
