//! How long cells take: runs all notebooks through the command and prints the figures that users feel.
//!
//! `cargo bench --profile dev --bench notebooks -- [runs]` (2), after a first `./spar run`. In a fresh clone after
//! `./spar setup` the first of these runs is a cold one: no service has data yet, nothing is in the system's caches.

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

struct Cell {
    place: String,
    line: String,
    seconds: f64,
}

fn main() {
    let runs = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(2);
    for run in 1..=runs {
        println!("run {run} of {runs}");
        measure(Path::new(env!("CARGO_MANIFEST_DIR")));
    }
}

fn measure(home: &Path) {
    let out = tempfile::tempdir().expect("a temporary folder");
    let output = Command::new(env!("CARGO_BIN_EXE_spar"))
        .args(["run", "--timings", "--out"])
        .arg(out.path())
        .env("SPAR_HOME", home)
        .output()
        .expect("the command starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let timings: Value = serde_json::from_slice(&output.stdout).expect("the command prints its timings");
    let (mut openings, mut first_lets, mut others) = (Vec::new(), Vec::new(), Vec::new());
    // Cells that say how long they wait, and a job's end: they measure the stream, not the kernel.
    let mut waits = Vec::new();
    let mut together = Vec::new();
    let first = timings["create_app"]["start"].as_f64().unwrap_or(f64::NAN);
    println!("a kernel's start, alone: {first:.2} s");
    for (name, timing) in timings.as_object().expect("one entry per notebook") {
        let seconds = &timing["cells"];
        let mut met_let = false;
        for (at, line) in first_lines(&home.join(format!("notebooks/{name}.ipynb"))).into_iter().enumerate() {
            let seconds = seconds[at].as_f64().unwrap_or(f64::NAN);
            let cell = Cell { place: format!("{name} [{}]", at + 1), line, seconds };
            if at == 0 {
                together.push(Cell { place: name.clone(), line: String::new(), seconds });
                openings.push(cell);
            } else if cell.line.contains(".wait") || cell.line.contains(".stop()") {
                waits.push(cell);
            } else if !met_let && cell.line.starts_with("let ") {
                met_let = true;
                together.last_mut().expect("an opening cell").seconds += seconds;
                first_lets.push(cell);
            } else {
                others.push(cell);
            }
        }
    }
    print("opening cell", openings);
    print("first let", first_lets);
    print("both together", together);
    print("other cells", others);
    print("waiting cells", waits);
}

/// The first line of every code cell.
fn first_lines(notebook: &Path) -> Vec<String> {
    let text = fs::read_to_string(notebook).expect("the notebook is there");
    let notebook: Value = serde_json::from_str(&text).expect("the notebook is JSON");
    let cells = notebook["cells"].as_array().into_iter().flatten();
    cells
        .filter(|c| c["cell_type"] == "code")
        .map(|c| c["source"][0].as_str().or(c["source"].as_str()).unwrap_or_default().trim().to_owned())
        .collect()
}

fn print(what: &str, mut cells: Vec<Cell>) {
    cells.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    let Some(worst) = cells.last() else { return };
    let at = |share: f64| cells[((cells.len() - 1) as f64 * share).round() as usize].seconds;
    println!(
        "{what:13} n {:3}   median {:5.2} s   p95 {:5.2} s   worst {:5.2} s: {} {}",
        cells.len(),
        at(0.5),
        at(0.95),
        worst.seconds,
        worst.place,
        worst.line
    );
}
