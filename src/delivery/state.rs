//! The states of a delivery. The picture is in the design's fifth chapter and in `store::delivery`.

/// Where one reader's copy of one issue stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// To be sent, not before its time.
    Pending,
    /// Somebody holds a lease on it; nothing has left.
    Claimed,
    /// It may be on the wire at this moment.
    Inflight,
    Sent,
    Failed,
    /// The reader left, was suppressed or paused before it went, or the rest was cancelled.
    Skipped,
    /// Sent or not, we cannot know: held until a person says resend.
    InDoubt,
}

impl DeliveryState {
    pub const ALL: [Self; 7] =
        [Self::Pending, Self::Claimed, Self::Inflight, Self::Sent, Self::Failed, Self::Skipped, Self::InDoubt];

    /// The word in database and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Claimed => "claimed",
            Self::Inflight => "inflight",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::InDoubt => "in_doubt",
        }
    }

    /// Nothing more happens to it by itself.
    #[must_use]
    pub fn is_settled(self) -> bool {
        !matches!(self, Self::Pending | Self::Claimed | Self::Inflight)
    }
}

impl std::str::FromStr for DeliveryState {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|state| state.as_str() == word);
        known.ok_or_else(|| {
            format!("“{word}” is no state of a delivery: pending, claimed, inflight, sent, failed, skipped, in_doubt")
        })
    }
}

impl TryFrom<String> for DeliveryState {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        word.parse()
    }
}
