//! Options that say when each reader's copy leaves: the same for a newsletter and for one issue.

use clap::Args;

use crate::schedule::hours::{Hour, Passed, Quiet, Spread, Wish, Wishes};

#[derive(Debug, Default, Args)]
pub struct HoursArgs {
    /// The hour of each reader's own zone: 09:00, or off
    #[arg(long, value_name = "HH:MM")]
    pub local: Option<String>,
    /// Whoever's hour has passed when it begins: at-once, or skip
    #[arg(long, value_name = "WHAT")]
    pub passed: Option<String>,
    /// Spread evenly over a while: 3h, 90m, 2d, or off
    #[arg(long, value_name = "SPAN")]
    pub spread: Option<String>,
    /// Hours in which nothing is begun: 22:00-07:00, or off
    #[arg(long, value_name = "FROM-UNTIL")]
    pub quiet: Option<String>,
}

impl HoursArgs {
    /// What was said; the rest is left unsaid.
    ///
    /// # Errors
    /// What to write instead.
    pub fn wishes(&self) -> Result<Wishes, String> {
        Ok(Wishes {
            local: read::<Hour>(self.local.as_deref())?,
            passed: self.passed.as_deref().map(str::parse::<Passed>).transpose()?,
            spread: read::<Spread>(self.spread.as_deref())?,
            quiet: read::<Quiet>(self.quiet.as_deref())?,
        })
    }
}

fn read<T: std::str::FromStr<Err = String>>(text: Option<&str>) -> Result<Wish<T>, String> {
    text.map_or(Ok(Wish::Unsaid), Wish::read)
}
