//! Limits over time, exactly: when the next message may leave, and never a moment earlier.
//!
//! By second and minute messages are spaced evenly, as receivers want it (a bucket of one token). By hour and day they
//! are counted: those limits are quotas that somebody sells or grants, and an issue that fits is not stretched over
//! the day. A quota holds for *every* span of its length and not only from one full hour to the next, so a provider
//! that counts otherwise than we do sees no excess either.
//!
//! A [`Meter`] is written down whenever something is taken from it. Takers take a little ahead, so that one short
//! transaction serves many messages; on several nodes the same value in the same row makes the limit hold for their
//! sum. What was taken and not used is lost or given back, never used twice.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::values::clock::Millis;

/// Most messages in a span; `None`: as many as can be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    pub per_second: Option<u32>,
    pub per_minute: Option<u32>,
    pub per_hour: Option<u32>,
    pub per_day: Option<u32>,
}

impl Limits {
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// The narrower of both, limit by limit.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let narrower = |one: Option<u32>, two: Option<u32>| one.into_iter().chain(two).min();
        Self {
            per_second: narrower(self.per_second, other.per_second),
            per_minute: narrower(self.per_minute, other.per_minute),
            per_hour: narrower(self.per_hour, other.per_hour),
            per_day: narrower(self.per_day, other.per_day),
        }
    }
}

/// Which limit makes one wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Span {
    Second,
    Minute,
    Hour,
    Day,
}

impl Span {
    /// As it stands in a sentence: "40 an hour".
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    #[must_use]
    pub fn millis(self) -> i64 {
        match self {
            Self::Second => Millis::SECOND,
            Self::Minute => Millis::MINUTE,
            Self::Hour => Millis::HOUR,
            Self::Day => Millis::DAY,
        }
    }
}

/// So far ahead messages are taken: one transaction a second for a relay at its limit.
pub const AHEAD_MS: i64 = Millis::SECOND;
/// A message taken may leave so long after its moment: no longer, or what was saved up would leave in one burst.
pub const LATE_MS: i64 = 250;
/// Parts that an hour is counted in. The limit is exact whatever their number; a message stops counting at most one
/// part later than it might.
const PARTS_HOUR: i64 = 60;
/// Parts that a day is counted in: quarters of an hour.
const PARTS_DAY: i64 = 96;

/// What was used lately of a relay's or a site's limits. The value to keep.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Meter {
    second: Spacing,
    minute: Spacing,
    hour: Quota,
    day: Quota,
}

/// Messages that may leave, each from its moment on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// In order. A moment that is more than [`LATE_MS`] past has lapsed.
    pub moments: Vec<Millis>,
    /// Where they were counted, for [`Meter::give_back`].
    pub counted_at: Millis,
}

/// Nothing may leave before `until`, because of the limit by `span`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    pub until: Millis,
    pub span: Span,
}

impl Meter {
    /// Takes up to `wanted` messages (at least one), as many as may leave within [`AHEAD_MS`] from `now`.
    ///
    /// # Errors
    /// [`Wait`]: none may; ask again then. Nothing was taken.
    pub fn take(&mut self, limits: &Limits, wanted: u32, now: Millis) -> Result<Grant, Wait> {
        // Counted at the last instant it may leave, so that every span that holds its leaving holds its count.
        let counted_at = now.plus(AHEAD_MS + LATE_MS);
        let mut many = wanted.max(1);
        for (quota, limit, span) in
            [(&mut self.day, limits.per_day, Span::Day), (&mut self.hour, limits.per_hour, Span::Hour)]
        {
            let Some(limit) = limit else { continue };
            quota.forget(span, now);
            match limit.saturating_sub(quota.used()) {
                0 => return Err(Wait { until: quota.free_at(limit, span, now), span }),
                room => many = many.min(room),
            }
        }
        let mut moments = Vec::new();
        let (mut second, mut minute) = (self.second, self.minute);
        while moments.len() < many as usize {
            let (at, span) = later(
                second.next(limits.per_second, Span::Second, now),
                minute.next(limits.per_minute, Span::Minute, now),
                now,
            );
            if at > now.plus(AHEAD_MS) {
                if moments.is_empty() {
                    return Err(Wait { until: at, span });
                }
                break;
            }
            second.take(limits.per_second, Span::Second, at, now);
            minute.take(limits.per_minute, Span::Minute, at, now);
            moments.push(at);
        }
        (self.second, self.minute) = (second, minute);
        let taken = u32::try_from(moments.len()).unwrap_or(u32::MAX);
        self.hour.count(limits.per_hour, Span::Hour, counted_at, taken);
        self.day.count(limits.per_day, Span::Day, counted_at, taken);
        Ok(Grant { moments, counted_at })
    }

    /// Takes back what a taker did not use. Moments are not given back: they have passed.
    pub fn give_back(&mut self, many: u32, counted_at: Millis) {
        self.hour.uncount(Span::Hour, counted_at, many);
        self.day.uncount(Span::Day, counted_at, many);
    }

    /// Used in the last hour and the last day, for the eye; only what a limit counts.
    #[must_use]
    pub fn used(&self, now: Millis) -> (u32, u32) {
        let (mut hour, mut day) = (self.hour.clone(), self.day.clone());
        hour.forget(Span::Hour, now);
        day.forget(Span::Day, now);
        (hour.used(), day.used())
    }
}

fn later(second: Option<Millis>, minute: Option<Millis>, now: Millis) -> (Millis, Span) {
    let second = (second.unwrap_or(now).max(now), Span::Second);
    let minute = (minute.unwrap_or(now).max(now), Span::Minute);
    if minute.0 > second.0 { minute } else { second }
}

/// An even row of moments: the `count`th of `many` in a span stands at `base + count × span / many`, rounded up. So
/// thirds of a second do not drift, and nothing is early.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Spacing {
    base: Millis,
    count: i64,
    many: u32,
}

impl Spacing {
    fn at(self, span: Span) -> Millis {
        let many = i64::from(self.many.max(1));
        self.base.plus((self.count.saturating_mul(span.millis()) + many - 1) / many)
    }

    /// The next free moment, from `now` on in effect; `None` without a limit.
    fn next(self, limit: Option<u32>, span: Span, now: Millis) -> Option<Millis> {
        limit.map(|limit| self.fitted(limit, span, now).at(span))
    }

    fn take(&mut self, limit: Option<u32>, span: Span, at: Millis, now: Millis) {
        let Some(limit) = limit else { return };
        *self = self.fitted(limit, span, now);
        // Another limit may make it later than this row says; the row goes on from there.
        if at.since(self.at(span)) > LATE_MS {
            (self.base, self.count) = (at, 0);
        }
        self.count += 1;
    }

    /// The row as it stands now: begun anew after a pause, after a change of the limit, after a clock that went back.
    fn fitted(self, limit: u32, span: Span, now: Millis) -> Self {
        let limit = limit.max(1);
        let next = self.at(span);
        let step = span.millis() / i64::from(limit) + 1;
        let anew = |base| Self { base, count: 0, many: limit };
        if self.many == 0 || now.since(next) > LATE_MS {
            return anew(now);
        }
        if self.many != limit || next.since(now) > step + AHEAD_MS {
            return anew(next.min(now.plus(step)).max(now));
        }
        self
    }
}

/// How many in each part of a span lately.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct Quota {
    parts: BTreeMap<i64, u32>,
}

impl Quota {
    fn width(span: Span) -> i64 {
        if span == Span::Day { Span::Day.millis() / PARTS_DAY } else { span.millis() / PARTS_HOUR }
    }

    fn used(&self) -> u32 {
        self.parts.values().fold(0, |sum, many| sum.saturating_add(*many))
    }

    /// Lets go of parts that ended a whole span ago, and of those that a clock put right has left in the future.
    fn forget(&mut self, span: Span, now: Millis) {
        let (width, long) = (Self::width(span), span.millis());
        self.parts.retain(|part, _| {
            let end = (part + 1) * width;
            end + long > now.0 && end <= now.0 + long + 2 * width
        });
    }

    /// When the first message fits again: enough of the oldest parts have ended a whole span ago.
    fn free_at(&self, limit: u32, span: Span, now: Millis) -> Millis {
        let mut used = self.used();
        for (part, many) in &self.parts {
            used -= many;
            if used < limit {
                return Millis((part + 1) * Self::width(span) + span.millis());
            }
        }
        // A limit of nothing: tomorrow it may be another.
        now.plus(span.millis())
    }

    fn count(&mut self, limit: Option<u32>, span: Span, at: Millis, many: u32) {
        if limit.is_some() && many > 0 {
            let used = self.parts.entry(at.0.div_euclid(Self::width(span))).or_default();
            *used = used.saturating_add(many);
        }
    }

    fn uncount(&mut self, span: Span, at: Millis, many: u32) {
        let part = at.0.div_euclid(Self::width(span));
        if let Some(used) = self.parts.get_mut(&part) {
            *used = used.saturating_sub(many);
            if *used == 0 {
                self.parts.remove(&part);
            }
        }
    }
}

#[cfg(test)]
mod tests;
