//! Places where a test can make the program die, as if the power had gone. Debug builds only, and only when the
//! environment says so: `BROADSHEET_FAILPOINT=settle` dies at the first passing of that place, `settle:3` at the third.

/// Passes a place. Aborts the process there if the environment names it.
#[cfg(debug_assertions)]
pub fn pass(place: &str) {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    static NAMED: LazyLock<Option<(String, AtomicU32)>> = LazyLock::new(|| {
        let named = std::env::var("BROADSHEET_FAILPOINT").ok()?;
        let (name, times) = named.split_once(':').unwrap_or((&named, "1"));
        Some((name.to_owned(), AtomicU32::new(times.parse().unwrap_or(1))))
    });
    if let Some((name, left)) = &*NAMED
        && name == place
        && left.fetch_sub(1, Ordering::SeqCst) == 1
    {
        std::process::abort();
    }
}

/// Nothing, in a release build.
#[cfg(not(debug_assertions))]
#[inline]
pub fn pass(_place: &str) {}
