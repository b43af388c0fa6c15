//! One of many: a worker of a consumer group writes the partitions that Kafka gives it, into the same tables.

use super::{End, Pipeline, StreamReport, Watch};
use crate::error::Result;
use crate::job::{Control, Until};
use crate::kafka::{Group, Share, gaps_topic};
use std::time::Duration;

/// The first pause after a service was away; each further one is twice as long.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(30);
/// How often someone outside of the group may take the partitions over before a worker gives up.
const FENCED: u32 = 10;

impl Pipeline {
    /// Works as a member of the group of its topic until `control` is told to stop: any number of processes write
    /// the same tables as one. Partitions move when a member joins, leaves or dies; `watch` hears of every batch.
    ///
    /// A service that is away is waited for, outside of the group, so that other members go on.
    ///
    /// # Errors
    ///
    /// Fails if the server refuses the rows, or if someone outside of the group takes the partitions again and again.
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
        let mut fenced = 0;
        loop {
            let before = report.batches;
            match self.round(Until::Stopped, &round, mine, report, watch)? {
                End::Done => return Ok(()),
                End::Rewind => {}
                End::Fenced(e) => {
                    fenced = if report.batches > before { 1 } else { fenced + 1 };
                    // The next member may be at work before this one hears of it.
                    if group.changes_within(share, self.config.session) {
                        return Ok(());
                    }
                    // Nobody in the group: a run in a notebook, say, which ends some time.
                    if fenced == FENCED {
                        return Err(e);
                    }
                    watch.away(&e, Duration::ZERO);
                }
            }
        }
    }
}
