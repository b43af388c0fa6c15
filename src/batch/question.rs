use std::fmt;

/// Which toots a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every toot.
    All,
    /// The toots of users with more toots than this.
    ActiveOver(u32),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("tous les toots"),
            Self::ActiveOver(x) => write!(f, "les toots des utilisateurs de plus de {x} toots"),
        }
    }
}

/// A question about the history of toots. Days and hours are UTC; tags are compared in lower case, each once per
/// toot; ties are broken by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// The toots themselves, by time: `toot_id`, `timestamp`, `user_id`, `username`, `hashtags`, `text_length`.
    Toots(Scope),
    /// One row for each tag of each toot (none for a toot without tags), by time: the columns of `Toots` without
    /// `hashtags`, then `date` and `hashtag`.
    DatesAndTags(Scope),
    /// Users with more toots than this, the most talkative first: `user_id`, `toot_count`.
    ActiveUsers(u32),
    /// Toots for each day and tag, the most frequent first: `date`, `hashtag`, `total_toots`.
    HashtagsPerDay(Scope),
    /// Toots for each hour and tag, the most frequent first: `hour` (its start), `hashtag`, `total_toots`.
    HashtagsPerHour(Scope),
    /// Toots for each tag, the most frequent first: `hashtag`, `hashtag_count`.
    Hashtags(Scope),
    /// The most frequent tag, one row, none without tags: `hashtag`, `hashtag_count`.
    TopHashtag(Scope),
    /// Toots for each day that has any, by date: `date`, `total_toots`.
    TootsPerDay,
    /// Mean number of characters of the cleaned text, one row: `average_toot_length`.
    AverageLength,
    /// The same for each user, by id: `user_id`, `average_toot_length`, `toot_count`.
    AverageLengthPerUser,
    /// The same for each day, by date: `date`, `average_toot_length`, `toot_count`.
    AverageLengthPerDay,
    /// Toots for each user and hour of the day that has any: `user_id`, `username`, `hour` (0 to 23), `total_toots`.
    UserHours,
}

impl Question {
    /// The table that keeps the answer; `None` for questions that select toots instead of counting them.
    pub fn table_name(self) -> Option<&'static str> {
        Some(match self {
            Self::Toots(_) | Self::DatesAndTags(_) | Self::UserHours | Self::Hashtags(_) => return None,
            Self::ActiveUsers(_) => "partie3_active_users",
            Self::HashtagsPerDay(Scope::All) => "partie3_hashtags_per_day",
            Self::HashtagsPerDay(_) => "partie3_hashtags_per_day_active",
            Self::HashtagsPerHour(Scope::All) => "partie3_hashtags_per_hour",
            Self::HashtagsPerHour(_) => "partie3_hashtags_per_hour_active",
            Self::TopHashtag(Scope::All) => "partie3_top_hashtag",
            Self::TopHashtag(_) => "partie3_top_hashtag_active",
            Self::TootsPerDay => "partie3_toots_per_day",
            Self::AverageLength => "partie3_average_length",
            Self::AverageLengthPerUser => "partie3_average_length_per_user",
            Self::AverageLengthPerDay => "partie3_average_length_per_day",
        })
    }

    /// The lines printed before the answer: the contract's own, then what it is about where that is not plain.
    pub fn messages(self) -> Vec<String> {
        match self {
            Self::Toots(_) | Self::DatesAndTags(_) | Self::UserHours | Self::Hashtags(_) => Vec::new(),
            Self::ActiveUsers(x) => vec![format!("Utilisateurs avec plus de {x} toots :")],
            Self::HashtagsPerDay(scope) => {
                vec!["Nombre total de toots par date et hashtag :".into(), format!("({scope} ; jours UTC)")]
            }
            Self::HashtagsPerHour(scope) => {
                vec!["Nombre total de toots par heure et hashtag :".into(), format!("({scope} ; heures UTC)")]
            }
            Self::TopHashtag(scope) => vec!["Hashtag le plus fréquent :".into(), format!("({scope})")],
            Self::TootsPerDay => vec!["Nombre total de toots par jour :".into(), "(jours UTC)".into()],
            Self::AverageLength => vec!["Longueur moyenne des toots :".into()],
            Self::AverageLengthPerUser => vec!["Longueur moyenne des toots par utilisateur :".into()],
            Self::AverageLengthPerDay => {
                vec!["Longueur moyenne des toots par jour :".into(), "(jours UTC)".into()]
            }
        }
    }
}
