//! One of many: a worker of a consumer group writes the partitions that Kafka gives it, into the same tables.

use super::{End, Pipeline, Sample, StreamReport, Watch};
use crate::error::Result;
use crate::job::{Control, Until};
use crate::kafka::{Group, Share, gaps_topic, topic_info};
use crate::postgres::{Store, about, ledger};
use crate::runtime::block_on;
use std::time::Duration;

/// The first pause after a service was away; each further one is twice as long.
const PAUSE: Duration = Duration::from_secs(1);
/// How many messages are asked for the source of the toots.
const FIRST_MESSAGES: usize = 100;
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(30);

impl Pipeline {
    /// Works as a member of the group of its topic until `control` is told to stop: any number of processes write
    /// the same tables as one. Partitions move when a member joins, leaves or dies; `watch` hears of every batch.
    ///
    /// A service that is away is waited for, outside of the group, so that other members go on.
    ///
    /// # Errors
    ///
    /// Fails if the server refuses the rows.
    pub fn work(&mut self, control: &Control, watch: &mut dyn Watch) -> Result<StreamReport> {
        let mut report = StreamReport::new();
        let mut pause = PAUSE;
        loop {
            let before = report.batches;
            match self.serve(control, &mut report, watch) {
                Err(e) if e.is_transient() && !control.stopping() => {
                    if report.batches > before {
                        pause = PAUSE;
                    }
                    watch.away(&e, pause);
                    control.pause(pause);
                    pause = (pause * 2).min(LONGEST);
                }
                Err(e) => return Err(e),
                Ok(()) => {
                    report.end(control);
                    return Ok(report);
                }
            }
        }
    }

    /// True when it is known whose toots the database holds; a new one takes what the first messages of the topic say,
    /// since a worker is told nothing but two addresses.
    ///
    /// # Errors
    ///
    /// Fails if Kafka or the database is away.
    pub fn has_source(&mut self) -> Result<bool> {
        let store = Store::connect(&self.config)?;
        if let Some(source) = block_on(about(&store.client, "source"))? {
            self.rules.source = source;
            return Ok(true);
        }
        if topic_info(&self.config)?.records() == 0 {
            return Ok(false);
        }
        if let Some(source) = Sample::take(&self.config, &self.rules, FIRST_MESSAGES)?.source() {
            self.rules.source = source;
        }
        Ok(true)
    }

    /// Joins the group and serves one share after the other.
    fn serve(&mut self, control: &Control, report: &mut StreamReport, watch: &mut dyn Watch) -> Result<()> {
        let (topic, gaps) = (self.config.topic.clone(), gaps_topic(&self.config.topic));
        let group = Group::join(&self.config, &[&topic, &gaps])?;
        while let Some(share) = group.wait(control)? {
            watch.shared(&share.partitions);
            self.write(&share, &group, control, report, watch)?;
        }
        Ok(())
    }

    /// Writes the partitions of a share until the group is shared out anew.
    fn write(
        &self,
        share: &Share,
        group: &Group,
        control: &Control,
        report: &mut StreamReport,
        watch: &mut dyn Watch,
    ) -> Result<()> {
        let round = control.part();
        group.stop_on_change(share, &round);
        let mine = |topic: &str, part: i32| share.partitions.contains(&(topic.to_owned(), part));
        loop {
            match self.round(Until::Stopped, &round, mine, report, watch)? {
                End::Done => return Ok(()),
                End::Rewind => {}
                // The next member may be at work before this one hears of it.
                End::Fenced(e) => {
                    watch.away(&e, self.config.session);
                    if self.others_work(share, group, control)? {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Waits while someone outside of the group, a run in a notebook say, applies records of this share; true when
    /// the group is shared out anew meanwhile, or the work is asked to end.
    fn others_work(&self, share: &Share, group: &Group, control: &Control) -> Result<bool> {
        let applied = || -> Result<Vec<(String, i32, i64)>> {
            let positions = block_on(ledger::applied(&Store::connect(&self.config)?.client))?;
            Ok(positions.into_iter().map(|p| (p.topic, p.part, p.next_offset)).collect())
        };
        let mut before = applied()?;
        loop {
            if group.changes_within(share, self.config.session, control) {
                return Ok(true);
            }
            let now = applied()?;
            if now == before {
                return Ok(false);
            }
            before = now;
        }
    }
}
