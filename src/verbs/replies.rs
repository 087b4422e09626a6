//! The table of replies in use: the built-in one, or that with the operator's file over it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use crate::delivery::outcome::{Fault, Speaker, Table};
use crate::delivery::reply::Answer;
use crate::delivery::step::{End, Tried, step_by};

/// The operator's file in the data folder.
pub const FILE: &str = "replies.toml";
/// Bigger is no table that somebody wrote.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// What tells one version of the file from the next.
type Stamp = Option<(SystemTime, u64)>;

/// One a process. Without a file it costs a look at an empty lock.
#[derive(Debug, Default)]
pub struct Replies {
    own: RwLock<Option<Arc<Table>>>,
    seen: Mutex<Stamp>,
}

impl Replies {
    /// Concludes from an answer, as [`step_by`] does, by the table in use.
    #[must_use]
    pub fn step(&self, speaker: Speaker<'_>, tried: Tried, answer: &Answer, chance: f64) -> (End, Option<Fault>) {
        let own = self.own.read().unwrap_or_else(PoisonError::into_inner).clone();
        step_by(own.as_deref().unwrap_or(Table::built_in()), speaker, tried, answer, chance)
    }

    /// Reads the file if it has changed since the last look. One that is wrong changes nothing and is told in the
    /// log; one that is gone brings the built-in table back.
    pub fn refresh(&self, folder: &Path) {
        let path = folder.join(FILE);
        let stamp = stamp_of(&path);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == stamp {
            return;
        }
        *seen = stamp;
        let own = match stamp {
            None => None,
            Some(_) => match read(&path) {
                Ok(table) => Some(Arc::new(table)),
                Err(error) => {
                    let path = path.display();
                    return tracing::error!("{path} is not used, the table of replies stays as it is: {error:#}");
                }
            },
        };
        tracing::info!("replies are read by {}", if own.is_some() { FILE } else { "the built-in table" });
        *self.own.write().unwrap_or_else(PoisonError::into_inner) = own;
    }
}

fn stamp_of(path: &Path) -> Stamp {
    let about = std::fs::metadata(path).ok()?;
    Some((about.modified().ok()?, about.len()))
}

/// Reads an operator's file over the built-in table.
///
/// # Errors
/// When it cannot be read, and everything that is wrong with it.
pub fn read(path: &Path) -> anyhow::Result<Table> {
    let bytes = std::fs::metadata(path)?.len();
    anyhow::ensure!(bytes <= FILE_BYTES_MAX, "it has {bytes} bytes; at most {FILE_BYTES_MAX} are read");
    Ok(Table::with(&std::fs::read_to_string(path)?)?)
}

#[cfg(test)]
mod tests {
    use super::{FILE, Replies};
    use crate::delivery::outcome::Speaker;
    use crate::delivery::reply::{Answer, Reply, Stage};
    use crate::delivery::step::Tried;
    use crate::values::clock::Millis;
    use crate::values::ids::EventId;

    #[test]
    fn a_file_is_used_when_it_changes_refused_when_wrong_and_forgotten_when_gone() {
        let folder = std::env::temp_dir().join(format!("replies_{}", EventId::new(Millis(1_795_942_800_000))));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let replies = Replies::default();
        let reason = || {
            let tried = Tried { attempts: 0, first_at: Millis(0), now: Millis(0) };
            let reply = Reply { stage: Stage::RcptTo, code: 550, enhanced: None, text: "Quarantined".into() };
            replies.refresh(&folder);
            replies.step(Speaker::Relay, tried, &Answer::Reply(reply), 0.5).0.reason
        };
        assert_eq!(reason().as_deref(), Some("unclassified"));
        let rule = "[[rule]]\nname = \"mine\"\nstage = \"rcpt-to\"\ntext = [\"quarantined\"]\nthen = \"retry\"\n\
            class = \"blocked\"\nblame = \"site\"\n";
        std::fs::write(folder.join(FILE), rule).expect("writes");
        assert_eq!(reason().as_deref(), Some("blocked"));
        std::fs::write(folder.join(FILE), "[[rule]]\nname = 7").expect("writes");
        assert_eq!(reason().as_deref(), Some("blocked"), "a wrong file leaves what is in use");
        std::fs::remove_file(folder.join(FILE)).expect("removes");
        assert_eq!(reason().as_deref(), Some("unclassified"));
        std::fs::remove_dir_all(&folder).expect("removes");
    }
}
