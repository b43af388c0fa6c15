//! Membership of a consumer group: Kafka says which partitions are this process's. Others read them.

use super::client;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::job::Control;
use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a poll of the group may take; a member that is told to leave does so within this time.
const POLL: Duration = Duration::from_millis(100);

/// The partitions that are this member's, until the group is shared out anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    /// Topics and partitions.
    pub partitions: BTreeSet<(String, i32)>,
    /// How often the group has been shared out.
    pub generation: u64,
}

#[derive(Default)]
struct State {
    generation: u64,
    partitions: Option<BTreeSet<(String, i32)>>,
    failed: Option<String>,
    /// Stopped when the share changes.
    working: Option<Control>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    leaving: AtomicBool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn share(&self, partitions: Option<BTreeSet<(String, i32)>>) {
        let mut state = self.lock();
        state.generation += 1;
        state.partitions = partitions;
        if let Some(working) = state.working.take() {
            working.stop();
        }
        drop(state);
        self.changed.notify_all();
    }

    fn fail(&self, why: String) {
        self.lock().failed = Some(why);
        self.share(None);
    }
}

struct Member(Arc<Shared>);

impl ClientContext for Member {}

impl ConsumerContext for Member {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, event: RDKafkaRespErr, list: &mut TopicPartitionList) {
        // This consumer fetches nothing, so it is given no partition to fetch, whatever the group says.
        let (answer, share) = if event == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            let mine = list.elements().iter().map(|e| (e.topic().to_owned(), e.partition())).collect();
            (consumer.assign(&TopicPartitionList::new()), Some(mine))
        } else {
            (consumer.unassign(), None)
        };
        match answer {
            Ok(()) => self.0.share(share),
            Err(e) => self.0.fail(e.to_string()),
        }
    }
}

/// A member of the group that shares a topic out; dropping it leaves the group.
///
/// It is apart from the consumers that read, so that it answers the group whatever the work takes, and that those
/// are assigned once, at the offsets of the ledger. Two members that both believe a partition theirs are told apart
/// by the ledger's epochs.
pub(crate) struct Group {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    name: String,
    broker: String,
}

impl Group {
    /// Joins the group of `topics`, whose name is `spar-` and the first topic's.
    pub fn join(config: &Config, topics: &[&str]) -> Result<Self> {
        let broker = config.kafka()?.to_owned();
        let name = format!("spar-{}", topics[0]);
        let cannot = |e: KafkaError| Error::cannot(format!("join the group {name} at {broker}"), e);
        let shared = Arc::new(Shared::default());
        let consumer: BaseConsumer<Member> = client(&broker, "spar-worker")
            .set("group.id", &name)
            .set("session.timeout.ms", config.session.as_millis().to_string())
            .set("heartbeat.interval.ms", (config.session.as_millis() / 4).min(3000).to_string())
            .set("partition.assignment.strategy", "range")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            // A topic that is made or grows later is shared out then.
            .set("topic.metadata.refresh.interval.ms", "10000")
            .create_with_context(Member(shared.clone()))
            .map_err(cannot)?;
        consumer.subscribe(topics).map_err(cannot)?;
        let seen = shared.clone();
        let thread = std::thread::Builder::new()
            .name("spar-group".into())
            .spawn(move || {
                while !seen.leaving.load(Ordering::Relaxed) {
                    // Other errors pass: a broker that is away comes back, or the readers notice, and a topic that
                    // is not there may come.
                    if let Some(Err(KafkaError::MessageConsumptionFatal(code))) = consumer.poll(POLL) {
                        seen.fail(code.to_string());
                    }
                }
            })
            .map_err(|e| Error::cannot("start the group's thread", e))?;
        Ok(Self { shared, thread: Some(thread), name, broker })
    }

    /// Waits for partitions of this member's own. None when `control` is told to stop first.
    pub fn wait(&self, control: &Control) -> Result<Option<Share>> {
        let mut state = self.shared.lock();
        loop {
            if control.stopping() {
                return Ok(None);
            }
            if let Some(why) = &state.failed {
                return Err(Error::cannot(format!("stay in the group {} at {}", self.name, self.broker), why));
            }
            if let Some(mine) = state.partitions.as_ref().filter(|mine| !mine.is_empty()) {
                return Ok(Some(Share { partitions: mine.clone(), generation: state.generation }));
            }
            state = self.shared.changed.wait_timeout(state, POLL).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Stops `work` as soon as the share is no longer this one.
    pub fn stop_on_change(&self, share: &Share, work: &Control) {
        let mut state = self.shared.lock();
        if state.generation == share.generation {
            state.working = Some(work.clone());
        } else {
            work.stop();
        }
    }

    /// Waits for `limit`; true when the share changes or `control` is told to stop before.
    pub fn changes_within(&self, share: &Share, limit: Duration, control: &Control) -> bool {
        let deadline = Instant::now() + limit;
        let mut state = self.shared.lock();
        while state.generation == share.generation && !control.stopping() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let wait = left.min(POLL);
            state = self.shared.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.shared.leaving.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been told already; the group notices that its member is silent.
            let _ = thread.join();
        }
    }
}
