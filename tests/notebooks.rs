//! Notebooks on the real kernel, through the command that users type.

#[path = "it/stand_in.rs"]
#[allow(dead_code, reason = "one test uses its part")]
mod stand_in;

#[path = "it/payloads.rs"]
mod payloads;
#[path = "notebooks/promises.rs"]
mod promises;
#[path = "it/signals.rs"]
mod signals;

use payloads::{assert_inert, assert_plain, assert_whole_in_itself, elements, hostile};
use serde_json::{Value, json};
use spar::config::Credentials;
use spar::mastodon::LocalControl;
use spar::runner::{Ended, failure};
use spar::{Config, Store};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A state folder of the test's own; the command run on it, its services stopped at the end.
struct World {
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        Self::named("spar")
    }

    fn named(prefix: &str) -> Self {
        Self { folder: tempfile::Builder::new().prefix(prefix).tempdir().unwrap() }
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_spar"));
        command.env("SPAR_HOME", root()).env("SPAR_STATE", self.folder.path().join("state"));
        for key in ["MASTODON_URL", "MASTODON_ACCESS_TOKEN", "KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL", "KAFKA_TOPIC"] {
            // Empty is absent, and wins over the `.env` of the person who runs the tests.
            command.env(key, "");
        }
        command
    }

    fn spar(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().unwrap()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let out = self.out().display().to_string();
        self.spar(&[&["run", "--out", &out], arguments].concat())
    }

    /// Runs small notebooks of the tests, without services.
    fn run_small(&self, arguments: &[&str]) -> Output {
        let from = root().join("tests/notebooks").display().to_string();
        self.run(&[&["--from", &from], arguments].concat())
    }

    /// The settings that the notebooks of this world see.
    fn config(&self) -> Config {
        let state = self.folder.path().join("state").display().to_string();
        Config::from_settings(root(), |key| (key == "SPAR_STATE").then(|| state.clone())).unwrap()
    }

    /// Rows of a query that gives one JSON object per row.
    fn rows(&self, sql: &str) -> Vec<Value> {
        let store = Store::connect(&self.config()).unwrap();
        let table = store.query(sql, &[]).unwrap();
        let column = table.frame().columns()[0].str().unwrap();
        column.iter().map(|row| serde_json::from_str(row.unwrap()).unwrap()).collect()
    }

    fn number(&self, sql: &str) -> i64 {
        self.rows(&format!("SELECT ({sql})::text"))[0].as_i64().unwrap()
    }

    /// What the generator expects in `filtered_toots`, by its own labels.
    fn expected(&self) -> Value {
        let control = LocalControl::new(self.config().mastodon_control.as_deref().unwrap()).unwrap();
        serde_json::from_str(&control.expected().unwrap()).unwrap()
    }

    /// The code cells of an executed notebook.
    fn executed(&self, name: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.out().join(format!("{name}.ipynb"))).unwrap();
        let notebook: Value = serde_json::from_str(&text).unwrap();
        let cells = notebook["cells"].as_array().unwrap();
        cells.iter().filter(|c| c["cell_type"] == "code").cloned().collect()
    }

    fn page(&self, name: &str) -> String {
        fs::read_to_string(self.out().join(format!("{name}.html"))).unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.spar(&["services", "down"]);
    }
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Asserts that the second cell of a small notebook fails the run with `message`, and that what ran is rendered.
fn fails(name: &str, message: &str, arguments: &[&str]) {
    let world = World::new();
    let output = world.run_small(&[&[name, "passes"], arguments].concat());
    let said = told(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(name) && said.contains("cell 2"), "{said}");
    assert!(said.contains(message), "{said}");
    let page = world.page(name);
    assert!(page.contains("before"), "the page shows the cells that ran");
    assert!(!world.out().join("passes.html").exists(), "no notebook starts after a failure");
    let link = format!("href=\"{name}.html#cellule-2\"");
    assert!(world.page("index").contains(&link) && page.contains("id=\"cellule-2\""), "the index leads to the cell");
}

#[test]
fn a_good_notebook_passes_and_its_page_shows_its_output() {
    let world = World::new();
    let output = world.run_small(&["passes"]);
    assert!(output.status.success(), "{}", told(&output));
    assert!(world.page("passes").contains("bonjour"));
}

#[test]
fn a_folder_whose_name_has_a_space_does_as_well() {
    let world = World::named("mes projets ");
    let output = world.run_small(&["passes"]);
    assert!(output.status.success(), "{}", told(&output));
    assert!(world.page("passes").contains("bonjour"));
}

#[test]
fn a_later_build_disturbs_no_cell_of_a_kernel_that_runs() {
    let world = World::new();
    // The command with its library and what that depends on, in a place that a build of this test's own may overwrite.
    let (host, built) = ("host/debug", Path::new(env!("CARGO_BIN_EXE_spar")).parent().unwrap());
    let mine = world.folder.path().join(host);
    fs::create_dir_all(mine.join("deps")).unwrap();
    for name in ["spar", "libspar.so"] {
        fs::copy(built.join(name), mine.join(name)).unwrap();
    }
    let entries = fs::read_dir(built.join("deps")).unwrap().map(|entry| entry.unwrap());
    for entry in entries.filter(|entry| !entry.file_name().to_string_lossy().starts_with("libspar.")) {
        std::os::unix::fs::symlink(entry.path(), mine.join("deps").join(entry.file_name())).unwrap();
    }
    let target = built.ancestors().nth(2).unwrap();
    std::os::unix::fs::symlink(target.join("debug"), world.folder.path().join("debug")).unwrap();
    let later = mine.join("deps/libspar.so");
    fs::copy(built.join("libspar.so"), &later).unwrap();

    let (from, out) = (root().join("tests/notebooks"), world.out());
    let output = Command::new(mine.join("spar"))
        .args(["run", "rebuilt", "--from"])
        .arg(from)
        .arg("--out")
        .arg(out)
        .env("SPAR_HOME", root())
        .env("SPAR_STATE", world.folder.path().join("state"))
        .env("A_LATER_BUILD", later)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", told(&output));
    assert!(world.page("rebuilt").contains("still here"));
}

#[test]
fn a_failing_question_mark_fails_the_run() {
    fails("question_mark", "invalid digit", &[]);
}

#[test]
fn a_panic_fails_the_run() {
    fails("panics", "the cell panics", &[]);
}

#[test]
fn a_panic_is_told_in_one_line_and_the_index_leads_to_its_cell() {
    let world = World::new();
    let output = world.run_small(&["panics_in_words"]);
    let said = told(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let cells = world.executed("panics_in_words");
    let outputs = cells[2]["outputs"].as_array().unwrap();
    assert_eq!(outputs.len(), 1, "{outputs:?}");
    let line = text(&outputs[0]["text"]);
    assert!(line.starts_with("the cell panicked: a fourth word: 🎉"), "{line}");
    assert!(line.ends_with("variables of other cells are kept\n") && line.lines().count() == 1, "{line}");
    assert_plain(line.trim_end(), "a panic");
    for told in [&said, &world.page("panics_in_words")] {
        assert!(told.contains("a fourth word") && !told.contains("backtrace") && !told.contains("run_loop"), "{told}");
    }
    let index = fs::read_to_string(world.out().join("index.html")).unwrap();
    assert!(index.contains("panics_in_words.html#cellule-3"), "{index}");
    assert!(world.page("panics_in_words").contains("id=\"cellule-3\""), "the link finds the cell");
}

#[test]
fn a_compile_error_fails_the_run() {
    fails("does_not_compile", "mismatched types", &[]);
}

#[test]
fn a_kernel_that_dies_fails_the_run() {
    fails("kernel_dies", "the kernel died", &[]);
}

#[test]
fn a_process_that_aborts_fails_the_run() {
    fails("process_dies", "terminated", &[]);
}

#[test]
fn a_cell_that_hangs_is_stopped_and_fails_the_run() {
    fails("hangs", "did not end in its time", &["--cell-limit", "15"]);
}

/// An element's name, and the names of its attributes.
type Element = (String, Vec<String>);

/// A page's elements, without titles: one says what a cell cut, and depends on its text.
fn skeleton(page: &str) -> Vec<Element> {
    let names =
        |attributes: Vec<(String, String)>| attributes.into_iter().map(|(name, _)| name).filter(|n| n != "title");
    elements(page).into_iter().map(|(name, attributes)| (name, names(attributes).collect())).collect()
}

/// The text of a notebook's value: a string, or a list of lines.
fn text(value: &Value) -> String {
    match value {
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().unwrap_or_default().to_owned(),
    }
}

/// Runs the notebook that shows `texts` in every way; gives its page and the index.
fn shown(texts: &[String]) -> (String, String) {
    let world = World::new();
    fs::create_dir_all(world.out()).unwrap();
    fs::write(world.out().join("texts"), texts.join("\u{1e}")).unwrap();
    let output = world.run_small(&["hostile"]);
    let said = told(&output);
    assert_eq!(output.status.code(), Some(1), "its last cell fails: {said}");
    assert_plain(&said, "the terminal");
    let cells = world.executed("hostile");
    let (mut seen, mut lines) = (0, 0);
    for cell in &cells {
        assert!(cell["execution_count"].is_u64(), "a cell did not run: {said}");
        for output in cell["outputs"].as_array().unwrap() {
            for (mime, content) in output["data"].as_object().into_iter().flatten() {
                let content = text(content);
                match mime.as_str() {
                    "text/html" => assert_inert(&content, "a cell"),
                    "image/png" => {}
                    _ => assert_plain(&content, mime),
                }
                seen += 1;
            }
            assert_plain(&text(&output["text"]), "a stream");
            lines += if output["name"] == "stdout" { text(&output["text"]).lines().count() } else { 0 };
        }
    }
    // On a busy machine the kernel gives a cell's last line to the next one.
    assert_eq!(lines, texts.len() + 1, "each text is one line");
    let last = text(&cells.last().unwrap()["outputs"][0]["text"]);
    assert!(last.starts_with("cannot answer the query") && last.trim_end().lines().count() == 1, "{last}");
    assert!(seen >= 10, "only {seen} things were shown");
    (world.page("hostile"), world.page("index"))
}

#[test]
fn hostile_texts_through_the_real_kernel_add_nothing_to_the_pages() {
    let hostile = hostile();
    let harmless: Vec<String> = (0..hostile.len()).map(|n| format!("word{n}")).collect();
    let (page, index) = shown(&hostile);
    let (plain_page, plain_index) = shown(&harmless);
    for (hostile, plain) in [(page, plain_page), (index, plain_index)] {
        let (hostile, plain) = (skeleton(&hostile), skeleton(&plain));
        let kinds = |page: &[Element]| page.iter().cloned().collect::<BTreeSet<_>>();
        assert_eq!(kinds(&hostile), kinds(&plain), "another kind of element came out");
        // A line that the kernel gives to the next cell stands in a frame of its own.
        let inner = |page: Vec<Element>| -> Vec<Element> {
            page.into_iter().filter(|(name, _)| !matches!(name.as_str(), "div" | "pre")).collect()
        };
        let (hostile, plain) = (inner(hostile), inner(plain));
        let other = hostile.iter().zip(&plain).find(|(one, other)| one != other);
        assert_eq!((other, hostile.len()), (None, plain.len()), "an element came out, or none where one should be");
    }
    println!(
        "{} payloads × 8 cells, on the exported page and the index: no element came out, no cell hung",
        hostile.len()
    );
}

#[test]
fn a_run_that_is_killed_in_a_cell_leaves_no_kernel_behind() {
    let world = World::new();
    let state = world.folder.path().join("state");
    let from = root().join("tests/notebooks").display().to_string();
    let out = world.out().display().to_string();
    let arguments = ["run", "--out", &out, "--from", &from, "hangs"];
    let mut run = world.command().args(arguments).spawn().unwrap();
    // The cell that hangs says so in the kernel's temporary folder.
    let hanging = state.join(format!("local/kernels/{}/hanging", run.id()));
    wait_until("the cell hangs", || hanging.exists());
    run.kill().unwrap();
    run.wait().unwrap();
    let state = state.display().to_string();
    wait_until("the kernels end", || kernels_with(&state).is_empty());
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(90);
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_refused_token_ends_partie1_with_one_sentence_and_exit_code_1() {
    const TOKEN: &str = "marker-token-that-must-stay-hidden";
    let server = stand_in::StandIn::start(|request| match request.path.as_str() {
        "/api/v1/accounts/verify_credentials" => stand_in::json(401, json!({"error": "The access token is invalid"})),
        _ => stand_in::healthy(request).unwrap(),
    });
    // Nothing else is asked for before the token is refused.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let world = World::new();
    let out = world.out().display().to_string();
    let output = world
        .command()
        .args(["run", "--out", &out, "partie1"])
        .env("MASTODON_URL", &server.url)
        .env("MASTODON_ACCESS_TOKEN", TOKEN)
        .env("KAFKA_BOOTSTRAP_SERVERS", &closed)
        .env("DATABASE_URL", format!("postgres://spar@{closed}/mastodon_data"))
        .output()
        .unwrap();
    let said = told(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("partie1") && said.contains("does not know the access token"), "{said}");
    for text in [&said, &world.page("partie1"), &fs::read_to_string(world.out().join("partie1.ipynb")).unwrap()] {
        assert!(text.contains("jeton_access") && !text.contains(TOKEN), "{text}");
    }
    println!("{}", said.lines().filter(|line| line.contains("token")).collect::<Vec<_>>().join("\n"));
}

/// Asserts that the index leads to the seven pages and tells versions, rows and where the toots come from.
fn index_is_right(world: &World) {
    let index = world.page("index");
    assert_whole_in_itself(&index, "the index");
    let links = elements(&index).into_iter().filter(|(name, _)| name == "a").flat_map(|(_, attributes)| attributes);
    let links: Vec<_> = links.map(|(_, value)| value).collect();
    assert_eq!(links, spar::runner::NOTEBOOKS.map(|name| format!("{name}.html")));
    let rows = world.number("SELECT count(*) FROM filtered_toots");
    // Large numbers are in groups of three digits.
    let index = index.replace('\u{202f}', "");
    for told in [
        "Partie 5 – Visualisations".to_owned(),
        format!("<code>filtered_toots</code> <span>{rows}</span>"),
        format!("<li>spar {}</li>", env!("CARGO_PKG_VERSION")),
        "<li>rustc 1.".into(),
        "<li>evcxr 0.22.0</li>".into(),
        "<li>Kafka 4.4.0</li>".into(),
        "<li>PostgreSQL 18".into(),
        "générés".into(),
    ] {
        assert!(index.contains(&told), "{told:?} is not in {index}");
    }
}

/// Asserts that the tables hold what the generator expects of everything that it sent, and agree with each other.
fn tables_are_right(world: &World) {
    let expected = world.expected();
    let wanted: Vec<Value> = expected["toots"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| {
            json!({
                "toot_id": t["toot_id"], "text": t["text"], "content": t["content"], "user_id": t["user_id"],
                "username": t["username"], "hashtags": t["hashtags"],
            })
        })
        .collect();
    let stored = world.rows(
        "SELECT json_build_object('toot_id', toot_id, 'text', text, 'content', content, 'user_id', user_id, \
         'username', username, 'hashtags', hashtags)::text FROM filtered_toots ORDER BY toot_id",
    );
    let mut wanted = wanted;
    wanted.sort_by_key(|t| t["toot_id"].as_str().unwrap().to_owned());
    assert!(wanted.len() >= 2000, "the generator sends only {} toots to keep", wanted.len());
    for (stored, wanted) in stored.iter().zip(&wanted) {
        assert_eq!(stored, wanted);
    }
    assert_eq!(stored.len(), wanted.len());

    let toots = wanted.len() as i64;
    assert_eq!(world.number("SELECT count(*) FROM all_toots"), toots);
    assert_eq!(world.number("SELECT sum(total_toots) FROM toots_time_window_aggregates"), toots);
    assert_eq!(world.number("SELECT sum(toots) FROM user_avg_length"), toots);
    let wrong_averages = "SELECT count(*) FROM user_avg_length a JOIN (SELECT user_id, avg(char_length(text)) AS mean \
                          FROM filtered_toots GROUP BY user_id) t USING (user_id) WHERE abs(a.average_length - t.mean) > 1e-9";
    assert_eq!(world.number(wrong_averages), 0);
}

/// Every result that partie3 stored, but for the times it measured.
fn history(world: &World) -> Vec<Value> {
    let names = world.rows(
        "SELECT to_json(table_name)::text FROM information_schema.tables WHERE table_schema = 'public' \
         AND table_name LIKE 'partie3%' AND table_name NOT LIKE '%benchmark%' ORDER BY 1",
    );
    assert!(names.len() >= 8, "partie3 stored only {names:?}");
    let rows = |name: &Value| {
        let sql = format!("SELECT to_jsonb(t)::text FROM {} t ORDER BY 1", name.as_str().unwrap());
        json!({"table": name, "rows": world.rows(&sql)})
    };
    names.iter().map(rows).collect()
}

fn passes(world: &World, arguments: &[&str]) {
    let output = world.run(arguments);
    assert!(output.status.success(), "{}", told(&output));
}

#[test]
fn the_seven_notebooks_give_what_the_generator_expects_once_twice_and_after_a_kill() {
    let world = World::new();
    let up = world.spar(&["services", "up"]);
    assert!(up.status.success(), "{}", told(&up));

    passes(&world, &[]);
    tables_are_right(&world);
    for name in spar::runner::NOTEBOOKS {
        let page = world.page(name);
        assert_whole_in_itself(&page, name);
        assert!(page.len() < 1_500_000 && page.contains("aria-label=\"Sommaire\""), "{name}: {} bytes", page.len());
        for cell in world.executed(name) {
            assert_eq!(failure(Ended::Complete, &cell["outputs"]), None, "{name}");
            assert!(cell["execution_count"].is_u64(), "{name}: a cell did not run");
        }
        assert_eq!(promises::missing(name, &printed(&world, name)), None, "{name} does not print a promised line");
    }
    no_secret_is_told(&world);
    for chart in ["sentiments", "toots-par-jour", "top-hashtags", "activite-utilisateurs"] {
        for ending in ["svg", "png"] {
            assert!(world.out().join(format!("charts/{chart}.{ending}")).is_file(), "{chart}.{ending}");
        }
    }
    assert_eq!(
        world.page("partie5").matches("data-mime-type=\"image/svg+xml\"").count(),
        4,
        "partie5 shows four charts"
    );
    index_is_right(&world);
    // The generator sends one tag that the table of averages does not hold; the chart counts it, and says so.
    assert!(world.page("partie5").contains("1 hashtag de plus de 255 caractères est compté ici"));
    let scored = world.number("SELECT count(*) FROM toots_sentiments");
    assert_eq!(scored, world.number("SELECT count(*) FROM history_toots"));
    assert_eq!(scored, world.number("SELECT count(*) FROM filtered_toots"));

    // partie3 ran before partie4 scored anything; it must say the same after it.
    let before = history(&world);
    passes(&world, &["partie3"]);
    let index = fs::read_to_string(world.out().join("index.html")).unwrap();
    for name in spar::runner::NOTEBOOKS {
        assert!(index.contains(&format!("{name}.html")), "the index forgets the page of {name}");
    }
    assert_eq!(history(&world), before);

    // A second slice, and partie2's kernel killed as soon as it has taken the topic over.
    passes(&world, &["partie1"]);
    kill_in_partie2(&world, |world, _| {
        let kernels = kernels_with(&world.folder.path().join("state").display().to_string());
        assert!(!kernels.is_empty(), "no kernel runs");
        kernels
    });
    // The same for `spar` itself: its kernels end with it.
    kill_in_partie2(&world, |_, run| vec![run]);
    let state = world.folder.path().join("state").display().to_string();
    wait_until("the kernels end", || kernels_with(&state).is_empty());
    interrupt_partie2(&world);
    passes(&world, &["partie2", "partie3", "partie4", "partie5"]);
    tables_are_right(&world);
    assert_eq!(
        world.number("SELECT count(*) FROM toots_sentiments"),
        world.number("SELECT count(*) FROM filtered_toots")
    );
}

/// What the cells of an executed notebook printed.
fn printed(world: &World, name: &str) -> String {
    let cells = world.executed(name);
    let outputs = cells.iter().flat_map(|cell| cell["outputs"].as_array().unwrap());
    outputs.filter(|output| output["name"] == "stdout").map(|output| text(&output["text"])).collect()
}

/// Asserts that no executed notebook, page or log holds the token, the application's secret or a password.
fn no_secret_is_told(world: &World) {
    let config = world.config();
    let credentials = Credentials::read(&Credentials::file(&config.state, &config.source)).unwrap();
    let url = url::Url::parse(config.database_url().unwrap().expose()).unwrap();
    let kept = [&credentials.access_token, &credentials.client_secret].map(|s| s.as_ref().unwrap().expose().to_owned());
    let secrets = [&kept[..], &[url.password().unwrap().to_owned()]].concat();
    let logs = files(&config.state).into_iter().filter(|file| file.extension().is_some_and(|e| e == "log"));
    let told: Vec<_> = files(&world.out()).into_iter().chain(logs).collect();
    assert!(told.len() >= 20, "only {told:?}");
    for file in told {
        let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
        assert!(!secrets.iter().any(|secret| text.contains(secret)), "{} tells a secret", file.display());
    }
}

/// The files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Runs partie2 and kills what `victims` names, given the run's own process, once its cells own the topic.
fn kill_in_partie2(world: &World, victims: impl Fn(&World, u32) -> Vec<u32>) {
    let epoch = "SELECT max(epoch) FROM stream_partition";
    let before = world.number(epoch);
    let out = world.out().display().to_string();
    let mut run = world.command().args(["run", "--out", &out, "partie2"]).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(120);
    while world.number(epoch) == before {
        assert!(Instant::now() < deadline, "partie2 never took the topic over");
        std::thread::sleep(Duration::from_millis(10));
    }
    for pid in victims(world, run.id()) {
        signals::send(pid as i32, signals::Signal::KILL);
    }
    assert!(!run.wait().unwrap().success(), "a run that was killed must fail");
}

/// Interrupts a cell while a job of partie2 works, as a person does in Jupyter: the cell ends, the kernel lives on
/// without its variables, no process stays, and the jobs can be started again.
fn interrupt_partie2(world: &World) {
    let (kernel, sign) = (root().join(".spar/kernel"), world.folder.path().join("at-work"));
    let opening = "
:dep spar = { path = \"../kernel\", package = \"spar-kernel\" }
use spar::prelude::*;
let config = Config::from_env()?;";
    let start = "let mut writing = Pipeline::open(&config)?.start()?;
        let listening = Ingest::in_background(&config, Until::CaughtUp)?; listening.wait_seconds(60);";
    let long = format!("{start} std::fs::write({:?}, \"\")?; writing.wait_seconds(300)", sign.display().to_string());
    let again = format!("{opening}\n{start} writing.stop()?; preflight::check(&config)?");
    let tools = spar::setup::Tools::of(&Config { tools: tools(), ..world.config() });
    let output = Command::new(tools.python)
        .arg(root().join("tests/notebooks/interrupt.py"))
        .args([&sign.display().to_string(), opening, &long, &again])
        .current_dir(root().join("notebooks"))
        .env("SPAR_HOME", root())
        .env("SPAR_STATE", world.folder.path().join("state"))
        .env("TMPDIR", world.folder.path())
        .env("JUPYTER_PATH", kernel.join("share"))
        .env("JUPYTER_DATA_DIR", kernel.join("data"))
        .env("JUPYTER_CONFIG_DIR", kernel.join("config"))
        .env("JUPYTER_PREFER_ENV_PATH", "0")
        .output()
        .unwrap();
    let said = told(&output);
    assert!(output.status.success(), "{said}");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {said}"));
    println!("what a person reads: {}", told["interrupted"]);
    assert!(told["seconds"].as_f64().unwrap() < 15.0, "{said}");
    assert!(told["after"].as_str().unwrap().contains("PostgreSQL"), "the next cells work: {said}");
    let shown = told["told"].to_string();
    for words in ["pub fn connect(config: &Config) -> Result<Self>", "Connects to the database", "wait_seconds(&self"] {
        assert!(shown.contains(words), "Shift+Tab shows signature and sentence: {shown}");
    }
    let state = world.folder.path().join("state").display().to_string();
    wait_until("the kernels end", || kernels_with(&state).is_empty());
}

/// Where the set-up put its tools.
fn tools() -> PathBuf {
    std::env::var_os("SPAR_TOOLS").map_or_else(|| root().join(".spar/tools"), PathBuf::from)
}

/// The kernels' processes whose environment names `state`.
fn kernels_with(state: &str) -> Vec<u32> {
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid: &u32| {
            let file = |name: &str| fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
            String::from_utf8_lossy(&file("cmdline")).contains("evcxr_jupyter")
                && String::from_utf8_lossy(&file("environ")).contains(state)
        })
        .collect()
}
