//! What goes wrong, and where: `PHASE:ACTION[:p=CHANCE][:n=TIMES][:after=PASSES][:to=PART]`. Pure.

use std::fmt;
use std::str::FromStr;
use std::sync::Mutex;

/// Where in the conversation something goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// A client has connected; nothing was said.
    Connect,
    Banner,
    Ehlo,
    StartTls,
    Auth,
    Mail,
    Rcpt,
    Data,
    /// So many bytes of the text have come.
    Body,
    /// The text is complete, and this message is not taken: it is in no truth, and no reply says 2xx.
    DotBeforeLog,
    /// The text is complete, the message is taken and in the truth; what goes wrong is the reply.
    DotAfterLog,
    Quit,
    /// A message was answered and nothing has come since.
    Idle,
}

impl Phase {
    pub const ALL: [Self; 13] = [
        Self::Connect,
        Self::Banner,
        Self::Ehlo,
        Self::StartTls,
        Self::Auth,
        Self::Mail,
        Self::Rcpt,
        Self::Data,
        Self::Body,
        Self::DotBeforeLog,
        Self::DotAfterLog,
        Self::Quit,
        Self::Idle,
    ];

    /// The word in a rule.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Banner => "banner",
            Self::Ehlo => "ehlo",
            Self::StartTls => "starttls",
            Self::Auth => "auth",
            Self::Mail => "mail",
            Self::Rcpt => "rcpt",
            Self::Data => "data",
            Self::Body => "body",
            Self::DotBeforeLog => "dot-before-log",
            Self::DotAfterLog => "dot-after-log",
            Self::Quit => "quit",
            Self::Idle => "idle",
        }
    }
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// This reply in place of the friendly one.
    Reply { code: u16, text: String },
    /// The connection is closed.
    Drop,
    /// The connection is reset.
    Reset,
    /// 421, then the connection is closed.
    SayGoodbye,
    /// The friendly reply comes so many milliseconds late.
    Delay(u64),
    /// The friendly reply comes byte by byte, with so many milliseconds before each.
    Trickle(u64),
    /// Our half of the connection is closed; the other is read and thrown away.
    HalfClose,
    /// No reply, ever.
    Never,
    /// So many bytes that are no reply.
    Garbage(usize),
    /// The friendly reply, in so many lines.
    Multiline(usize),
    /// The friendly reply, in one line of so many bytes.
    LongLine(usize),
    /// The friendly reply, with bytes that are not UTF-8.
    BadUtf8,
    /// A code that does not belong there: 354, and 250 in its place at DATA, if none is given.
    WrongCode(Option<u16>),
    /// The friendly reply, twice.
    Twice,
    /// The friendly reply; from now on so many bytes a second are read.
    SlowRead(u64),
    /// EHLO does not offer this.
    Without(String),
    /// EHLO offers this SIZE.
    Size(u64),
}

/// One rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    pub phase: Phase,
    /// For [`Phase::Body`]: after so many bytes of the text.
    pub bytes: usize,
    pub action: Action,
    /// 0 to 1.
    pub chance: f64,
    /// Passes let through before the first time.
    pub after: u64,
    /// How often it acts; for ever without.
    pub times: Option<u64>,
    /// Only for messages to an address that contains this, in small letters.
    pub to: Option<String>,
}

/// Why a rule is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("“{rule}” is no rule: {why}")]
pub struct BadRule {
    rule: String,
    why: String,
}

impl FromStr for Rule {
    type Err = BadRule;

    fn from_str(text: &str) -> Result<Self, BadRule> {
        parse(text).map_err(|why| BadRule { rule: text.to_owned(), why })
    }
}

fn parse(text: &str) -> Result<Rule, String> {
    let (phase, rest) =
        text.split_once(':').ok_or("it is PHASE:ACTION, for example “rcpt:reply(550,5.1.1 Unknown)”")?;
    let (name, bytes) = called(phase)?;
    let phase = Phase::ALL
        .into_iter()
        .find(|phase| phase.as_str() == name)
        .ok_or_else(|| format!("there is no phase “{name}”; there are {}", Phase::ALL.map(Phase::as_str).join(", ")))?;
    let bytes = match bytes {
        Some(bytes) if phase == Phase::Body => number("bytes", bytes)?,
        Some(_) => return Err(format!("{name} takes nothing in parentheses")),
        None => 1,
    };
    // The text of a reply may have colons and parentheses of its own.
    let end = rest.rfind("):").map(|at| at + 1).or_else(|| if rest.ends_with(')') { None } else { rest.find(':') });
    let (action, more) = end.map_or((rest, ""), |end| (&rest[..end], &rest[end + 1..]));
    let action = action_of(action)?;
    fits(phase, &action)?;
    let mut rule = Rule { phase, bytes, action, chance: 1.0, after: 0, times: None, to: None };
    for limit in more.split(':').filter(|limit| !limit.is_empty()) {
        match limit.split_once('=') {
            Some(("p", chance)) => {
                rule.chance = chance.parse().map_err(|_| format!("“{chance}” is no chance from 0 to 1"))?;
                if !(0.0..=1.0).contains(&rule.chance) {
                    return Err(format!("a chance is from 0 to 1, not {chance}"));
                }
            }
            Some(("n", times)) => rule.times = Some(number("times", times)?),
            Some(("after", passes)) => rule.after = number("passes", passes)?,
            Some(("to", part)) => rule.to = Some(part.to_lowercase()),
            _ => return Err(format!("“{limit}” is none of p=CHANCE, n=TIMES, after=PASSES, to=PART")),
        }
    }
    Ok(rule)
}

/// `name(arguments)` or `name`.
fn called(text: &str) -> Result<(&str, Option<&str>), String> {
    match text.split_once('(') {
        None => Ok((text, None)),
        Some((name, rest)) => {
            let arguments = rest.strip_suffix(')').ok_or_else(|| format!("“{text}” lacks its closing parenthesis"))?;
            Ok((name, Some(arguments)))
        }
    }
}

fn number<N: FromStr>(what: &str, text: &str) -> Result<N, String> {
    text.trim().parse().map_err(|_| format!("“{text}” is no number of {what}"))
}

fn action_of(text: &str) -> Result<Action, String> {
    let (name, arguments) = called(text)?;
    let needed = |what: &str| arguments.ok_or_else(|| format!("{name} needs its {what}: {name}({what})"));
    Ok(match name {
        "reply" => {
            let (code, text) =
                needed("code,text")?.split_once(',').ok_or("reply needs code and text: reply(451,Later)")?;
            Action::Reply { code: code_of(code)?, text: text.trim().to_owned() }
        }
        "drop" => Action::Drop,
        "rst" => Action::Reset,
        "421drop" => Action::SayGoodbye,
        "delay" => Action::Delay(number("milliseconds", needed("milliseconds")?)?),
        "trickle" => Action::Trickle(arguments.map_or(Ok(1_000), |ms| number("milliseconds", ms))?),
        "halfclose" => Action::HalfClose,
        "never" => Action::Never,
        "garbage" => Action::Garbage(number("bytes", needed("bytes")?)?),
        "multiline" => Action::Multiline(number("lines", needed("lines")?)?),
        "longline" => Action::LongLine(number("bytes", needed("bytes")?)?),
        "utf8bad" => Action::BadUtf8,
        "wrongcode" => Action::WrongCode(arguments.map(code_of).transpose()?),
        "doublereply" => Action::Twice,
        "slowread" => Action::SlowRead(number::<u64>("bytes a second", needed("bytes a second")?)?.max(1)),
        "ehlo-without" => Action::Without(needed("extension")?.to_uppercase()),
        "size" => Action::Size(number("bytes", needed("bytes")?)?),
        _ => return Err(format!("there is no action “{name}”; there are {ACTIONS}")),
    })
}

const ACTIONS: &str = "reply(code,text), drop, rst, 421drop, delay(ms), trickle(ms), halfclose, never, garbage(bytes), \
                       multiline(lines), longline(bytes), utf8bad, wrongcode, doublereply, slowread(bytes a second), \
                       ehlo-without(extension), size(bytes)";

fn code_of(text: &str) -> Result<u16, String> {
    let code: u16 = number("a reply", text)?;
    if (200..600).contains(&code) { Ok(code) } else { Err(format!("a reply's code is from 200 to 599, not {code}")) }
}

/// Not everything can go wrong everywhere: where nothing is said there is nothing to say wrongly.
fn fits(phase: Phase, action: &Action) -> Result<(), String> {
    use Action::{BadUtf8, Delay, Drop, HalfClose, LongLine, Multiline, Never, Reset, SlowRead, Trickle, Twice};
    let silent = matches!(action, Drop | Reset | Delay(_) | HalfClose | Never | SlowRead(_));
    let fits = match action {
        Action::Without(_) | Action::Size(_) => phase == Phase::Ehlo,
        _ if phase == Phase::Connect => silent || *action == Action::SayGoodbye,
        Delay(_) | Trickle(_) | Multiline(_) | LongLine(_) | BadUtf8 | Twice => phase != Phase::Idle,
        Action::Reply { code, .. } => phase != Phase::DotBeforeLog || *code >= 400,
        _ => true,
    };
    if fits { Ok(()) } else { Err(format!("this cannot go wrong at {phase}")) }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Rules with the count of their passes; the first that fits acts.
#[derive(Debug)]
pub struct Rules {
    rules: Vec<Rule>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    passes: Vec<u64>,
    done: Vec<u64>,
    random: u64,
}

impl Rules {
    /// `seed` decides where a chance falls: the same passes in the same order have the same luck.
    #[must_use]
    pub fn new(rules: Vec<Rule>, seed: u64) -> Self {
        let state = State { passes: vec![0; rules.len()], done: vec![0; rules.len()], random: seed };
        Self { rules, state: Mutex::new(state) }
    }

    /// Whether any rule is about this phase.
    #[must_use]
    pub fn mention(&self, phase: Phase) -> bool {
        self.rules.iter().any(|rule| rule.phase == phase)
    }

    /// Passes a phase with a message to `to` (empty where there is none yet): the rule that acts now, if one does.
    #[must_use]
    pub fn pass(&self, phase: Phase, to: &[String]) -> Option<&Rule> {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let about = |rule: &Rule| match &rule.to {
            Some(part) => to.iter().any(|to| to.to_lowercase().contains(part)),
            None => true,
        };
        for (at, rule) in self.rules.iter().enumerate().filter(|(_, rule)| rule.phase == phase && about(rule)) {
            state.passes[at] += 1;
            let open = state.passes[at] > rule.after && rule.times.is_none_or(|times| state.done[at] < times);
            if open && (rule.chance >= 1.0 || state.luck() < rule.chance) {
                state.done[at] += 1;
                return Some(rule);
            }
        }
        None
    }
}

impl State {
    /// A number from 0 to 1 (splitmix64, whose every seed is as good as another).
    fn luck(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        f64::from(u32::try_from(mixed >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::{Action, Phase, Rule, Rules};

    fn rule(text: &str) -> Rule {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn rules_are_read() {
        let said = rule("rcpt:reply(550,5.1.1 No (such): user):p=0.5:n=3:after=10:to=Ann@");
        assert_eq!(said.action, Action::Reply { code: 550, text: "5.1.1 No (such): user".into() });
        assert_eq!((said.chance, said.times, said.after, said.to.as_deref()), (0.5, Some(3), 10, Some("ann@")));
        assert_eq!(rule("dot-after-log:drop").phase, Phase::DotAfterLog);
        assert_eq!((rule("body(4096):rst").bytes, rule("body:rst").bytes), (4_096, 1));
        assert_eq!(rule("ehlo:ehlo-without(Pipelining)").action, Action::Without("PIPELINING".into()));
        assert_eq!(rule("mail:trickle:n=1").action, Action::Trickle(1_000));
    }

    #[test]
    fn what_is_no_rule_is_told_so() {
        for (text, why) in [
            ("drop", "PHASE:ACTION"),
            ("dot:drop", "dot-before-log, dot-after-log"),
            ("rcpt:explode", "there is no action “explode”"),
            ("rcpt(3):drop", "nothing in parentheses"),
            ("rcpt:delay", "needs its milliseconds"),
            ("rcpt:reply(99,x)", "from 200 to 599"),
            ("rcpt:drop:p=2", "from 0 to 1"),
            ("rcpt:drop:often", "none of p=CHANCE"),
            ("rcpt:size(1)", "cannot go wrong at rcpt"),
            ("dot-before-log:reply(250,Kept)", "cannot go wrong at dot-before-log"),
        ] {
            let error = text.parse::<Rule>().expect_err("it is no rule");
            assert!(error.to_string().contains(why), "{error}");
        }
    }

    #[test]
    fn a_rule_acts_when_its_time_has_come_and_as_often_as_it_says() {
        let rules = Rules::new(vec![rule("rcpt:drop:after=1:n=2:to=ann"), rule("rcpt:rst:to=bob")], 1);
        let passed = |to: &str| rules.pass(Phase::Rcpt, &[to.to_owned()]).map(|rule| rule.action.clone());
        assert_eq!(passed("ann@x"), None);
        assert_eq!(passed("bob@x"), Some(Action::Reset));
        assert_eq!((passed("ANN@x"), passed("ann@x")), (Some(Action::Drop), Some(Action::Drop)));
        assert_eq!((passed("ann@x"), rules.pass(Phase::Mail, &[])), (None, None));
    }

    #[test]
    fn a_chance_is_about_right_and_the_same_for_the_same_seed() {
        let hits = |seed| {
            let rules = Rules::new(vec![rule("mail:drop:p=0.3")], seed);
            (0..1_000).map(|_| rules.pass(Phase::Mail, &[]).is_some()).collect::<Vec<_>>()
        };
        assert_eq!(hits(7), hits(7));
        assert_ne!(hits(7), hits(8));
        let many = hits(7).into_iter().filter(|hit| *hit).count();
        assert!((250..350).contains(&many), "{many}");
    }
}
