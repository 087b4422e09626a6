//! Places where a test can make the program die as if the power had gone, fail as if the database had, or be late.
//! Debug builds only, and only when the environment says so: `BROADSHEET_FAILPOINT=settle` dies at the first passing
//! of that place, `settle:3` at the third, `settle:3=error` fails there, `settle:3=delay` is late. With `@FILE` at
//! the end a hit leaves that file.

#[cfg(debug_assertions)]
mod named {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    /// Long enough for everything else to overtake, short against every lease.
    const DELAY: Duration = Duration::from_millis(400);

    #[derive(Clone, Copy, PartialEq, Eq)]
    pub(super) enum Act {
        Kill,
        Error,
        Delay,
    }

    struct Named {
        place: String,
        left: AtomicU32,
        act: Act,
        hits: Option<String>,
    }

    static NAMED: LazyLock<Option<Named>> = LazyLock::new(|| {
        let named = std::env::var("BROADSHEET_FAILPOINT").ok()?;
        let (named, hits) = named.split_once('@').map_or((named.as_str(), None), |(named, file)| (named, Some(file)));
        let (rest, act) = named.split_once('=').unwrap_or((named, "kill"));
        let (place, times) = rest.split_once(':').unwrap_or((rest, "1"));
        let act = match act {
            "error" => Act::Error,
            "delay" => Act::Delay,
            _ => Act::Kill,
        };
        Some(Named {
            place: place.to_owned(),
            left: AtomicU32::new(times.parse().unwrap_or(1)),
            act,
            hits: hits.map(str::to_owned),
        })
    });

    /// Whether to fail now. Where nothing can fail, an error is no act, and no hit.
    pub(super) fn hit(place: &str, can_fail: bool) -> bool {
        let Some(named) = NAMED.as_ref().filter(|named| named.place == place) else { return false };
        if (named.act == Act::Error && !can_fail) || named.left.fetch_sub(1, Ordering::SeqCst) != 1 {
            return false;
        }
        if let Some(file) = &named.hits {
            // Whoever looks for the file finds that it is missing.
            let _ = std::fs::write(file, place);
        }
        match named.act {
            Act::Kill => std::process::abort(),
            Act::Delay => std::thread::sleep(DELAY),
            Act::Error => return true,
        }
        false
    }
}

/// Passes a place at which nothing can fail: it may die there, or be late.
#[cfg(debug_assertions)]
pub fn pass(place: &str) {
    named::hit(place, false);
}

/// Nothing, in a release build.
#[cfg(not(debug_assertions))]
#[inline]
pub fn pass(_place: &str) {}

/// Passes a place at which the database may fail.
///
/// # Errors
/// When the environment says so.
#[cfg(debug_assertions)]
pub fn check(place: &str) -> anyhow::Result<()> {
    if named::hit(place, true) { Err(anyhow::anyhow!("the fail-point {place} failed on purpose")) } else { Ok(()) }
}

/// Nothing, in a release build.
///
/// # Errors
/// None.
#[cfg(not(debug_assertions))]
#[inline]
pub fn check(_place: &str) -> anyhow::Result<()> {
    Ok(())
}
