//! The timelines over REST, one page at a time.

use super::Mastodon;
use super::http::{patient, refused};
use crate::error::Result;
use crate::runtime::block_on;
use crate::toot::Status;

/// The most statuses that a page holds.
pub const PAGE: u32 = 40;

impl Mastodon {
    /// A page of the public timeline, newest first: the statuses right after `min_id`, or the newest ones.
    ///
    /// # Errors
    ///
    /// Fails if the instance is away or refuses.
    pub fn public_timeline(&self, min_id: Option<&str>) -> Result<Vec<Status>> {
        let action = format!("read the public timeline of {}", self.host());
        let mut request = self.get("/api/v1/timelines/public").query(&[("limit", PAGE)]);
        if let Some(id) = min_id {
            request = request.query(&[("min_id", id)]);
        }
        let answer = block_on(patient(request, &action))?;
        match answer.status {
            200 => answer.json("the public timeline"),
            _ => Err(refused(&action, &answer)),
        }
    }
}
