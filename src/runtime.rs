//! The one tokio runtime behind the blocking surface: the crate's callers never see a future.

use std::future::Future;
use std::sync::OnceLock;
use tokio::runtime::{Builder, Runtime};

/// The shared runtime, started at first use.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("spar")
            .enable_all()
            .build()
            .expect("the system lets a process start two threads")
    })
}

/// Runs a future to its end on the calling thread. Never called from inside the runtime.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    runtime().block_on(future)
}
