//! What a panic says in a notebook: one line, without the frames of the kernel.

use super::neutralise;
use std::panic::PanicHookInfo;
use std::path::Path;
use std::sync::Once;

/// From now on a panic of this process is told in one line. The kernel asks for backtraces, but nothing of them is the
/// reader's own: a cell's frames have no names.
pub(crate) fn short_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| std::panic::set_hook(Box::new(|panic| eprintln!("{}", sentence(panic)))));
}

fn sentence(panic: &PanicHookInfo<'_>) -> String {
    let said = neutralise(panic.payload_as_str().unwrap_or("it does not say why"));
    let thread = std::thread::current();
    // The kernel runs cells on a thread without a name.
    let who = thread.name().map_or_else(|| "the cell".to_owned(), |name| format!("the thread {}", neutralise(name)));
    format!("{who} panicked: {said}{}; mend it and run it again: variables of other cells are kept", place(panic))
}

/// Where, unless it is the source that the kernel makes of a cell.
fn place(panic: &PanicHookInfo<'_>) -> String {
    let Some(at) = panic.location().filter(|at| at.file() != "src/lib.rs") else { return String::new() };
    let file = Path::new(at.file()).file_name().unwrap_or_default().to_string_lossy();
    format!(" ({file}, line {})", at.line())
}
