//! EHLO and what it offers.

use super::Target;
use super::lines;
use super::wire::Wire;
use crate::delivery::reply::{Answer, Stage};

/// What the server can do, of what we use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Offers {
    pub(super) pipelining: bool,
    pub(super) chunking: bool,
    pub(super) starttls: bool,
    pub(super) smtputf8: bool,
    pub(super) dsn: bool,
    pub(super) auth_plain: bool,
    pub(super) auth_login: bool,
    /// `Some(0)`: SIZE is offered without a limit (RFC 1870 §4).
    pub(super) size: Option<u64>,
}

impl Offers {
    /// From the lines after the first, which is the server's name.
    fn read(lines: &[String]) -> Self {
        let mut offers = Self::default();
        for line in lines.iter().skip(1) {
            let line = line.trim().to_ascii_uppercase();
            let (word, rest) = line.split_once([' ', '=']).unwrap_or((&line, ""));
            match word {
                "PIPELINING" => offers.pipelining = true,
                "CHUNKING" => offers.chunking = true,
                "STARTTLS" => offers.starttls = true,
                "SMTPUTF8" => offers.smtputf8 = true,
                "DSN" => offers.dsn = true,
                "SIZE" => offers.size = Some(rest.trim().parse().unwrap_or(0)),
                "AUTH" => {
                    offers.auth_plain |= rest.split([' ', '=']).any(|mechanism| mechanism == "PLAIN");
                    offers.auth_login |= rest.split([' ', '=']).any(|mechanism| mechanism == "LOGIN");
                }
                _ => {}
            }
        }
        offers
    }
}

/// The code of a greeting, which answers no command but STARTTLS and QUIT (RFC 5321 §4.3.2).
const GREETING: u16 = 220;

/// Says hello; falls back on HELO for servers that do not know EHLO (RFC 5321 §4.1.4).
pub(super) async fn hello(wire: &mut Wire, target: &Target) -> Result<Offers, Answer> {
    let within = target.timeouts.command;
    wire.write(Stage::Ehlo, format!("EHLO {}\r\n", target.helo).as_bytes(), within).await?;
    let said = wire.lines(Stage::Ehlo, within).await?;
    if wire.has_unread() || said.code == GREETING {
        // One answer too many, or a greeting said twice: every later one would be taken for another command's.
        let why = "the server answered more than it was asked; nothing was sent";
        return Err(Answer::Broken { stage: Stage::Ehlo, why: why.into() });
    }
    match said.code {
        200..=299 => Ok(Offers::read(&said.lines)),
        500 | 502 | 504 => {
            let reply = wire.ask(Stage::Ehlo, format!("HELO {}\r\n", target.helo).as_bytes(), within).await?;
            if (200..300).contains(&reply.code) { Ok(Offers::default()) } else { Err(Answer::Reply(reply)) }
        }
        code => Err(Answer::Reply(lines::reply(Stage::Ehlo, code, &said.lines))),
    }
}

#[cfg(test)]
mod tests {
    use super::Offers;

    #[test]
    fn offers_are_read_in_any_case_and_spelling() {
        let lines = |text: &[&str]| text.iter().map(|&line| line.to_owned()).collect::<Vec<_>>();
        let offers = Offers::read(&lines(&["mx STARTTLS", "pipelining", "Size 1000", "AUTH LOGIN plain", "X-Y"]));
        assert!(offers.pipelining && offers.auth_login && offers.auth_plain && !offers.starttls && !offers.dsn);
        assert_eq!(offers.size, Some(1000));
        assert_eq!(Offers::read(&lines(&["mx", "SIZE"])).size, Some(0));
        assert!(Offers::read(&lines(&["mx", "AUTH=PLAIN"])).auth_plain);
        assert_eq!(Offers::read(&[]), Offers::default());
    }
}
