//! What the sources must keep, whoever changes them.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|e| e == ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Every source file: its path below `src/`, and its text.
fn sources() -> Vec<(String, String)> {
    let src = root().join("src");
    files(&src, "rs")
        .into_iter()
        .map(|f| (f.strip_prefix(&src).unwrap().display().to_string(), fs::read_to_string(&f).unwrap()))
        .collect()
}

/// Asserts that only files whose path starts with one of `places` say `word`.
fn only(word: &str, places: &[&str]) {
    let strangers: Vec<_> = sources()
        .into_iter()
        .filter(|(path, text)| text.contains(word) && !places.iter().any(|p| path.starts_with(p)))
        .map(|(path, _)| path)
        .collect();
    assert!(strangers.is_empty(), "only {places:?} may say {word:?}, but so do {strangers:?}");
}

#[test]
fn each_client_is_named_in_its_own_place() {
    only("reqwest::", &["mastodon/"]);
    only("rdkafka::", &["kafka/"]);
    only("tokio_postgres::", &["postgres/"]);
    only("axum::", &["local/"]);
    only("BEGIN_CONTENT", &["display"]);
    only("plotters::", &["plots/"]);
}

#[test]
fn tests_reach_kafka_through_the_library() {
    // The C library is linked into ours, which does not show its symbols: an optimised test would not link.
    let word = concat!("use rdka", "fka");
    let strangers: Vec<_> = ["tests", "benches"]
        .into_iter()
        .flat_map(|folder| files(&root().join(folder), "rs"))
        .filter(|file| fs::read_to_string(file).unwrap().contains(word))
        .collect();
    assert!(strangers.is_empty(), "{strangers:?}");
}

#[test]
fn only_the_configuration_reads_the_environment() {
    for word in ["env::var", "env::vars", "env::var_os"] {
        only(word, &["config.rs"]);
    }
}

#[test]
fn files_marked_pure_do_no_io() {
    let doors = [
        "std::fs",
        "std::net",
        "std::process",
        "std::env",
        "std::io",
        "SystemTime",
        "Instant::now",
        "Timestamp::now",
        "block_on",
        "reqwest",
        "rdkafka",
        "tokio",
    ];
    let pure: Vec<_> = sources()
        .into_iter()
        .filter(|(_, text)| text.lines().take_while(|l| l.starts_with("//!")).any(|l| l.contains("[pure]")))
        .collect();
    assert!(pure.len() >= 10, "the pure middle has only {} files", pure.len());
    for (path, text) in pure {
        for door in doors {
            assert!(!text.contains(door), "{path} is marked [pure] and says {door}");
        }
    }
}

fn notebooks() -> Vec<(String, Value)> {
    files(&root().join("notebooks"), "ipynb")
        .into_iter()
        .map(|f| {
            let name = f.file_stem().unwrap().to_string_lossy().into_owned();
            (name, serde_json::from_str(&fs::read_to_string(&f).unwrap()).unwrap())
        })
        .collect()
}

fn source(cell: &Value) -> String {
    match &cell["source"] {
        Value::Array(lines) => lines.iter().map(|l| l.as_str().unwrap()).collect(),
        text => text.as_str().unwrap().to_owned(),
    }
}

fn code(notebook: &Value) -> Vec<String> {
    notebook["cells"].as_array().unwrap().iter().filter(|c| c["cell_type"] == "code").map(source).collect()
}

#[test]
fn the_seven_notebooks_are_there_and_carry_no_output() {
    let mut expected = spar::runner::NOTEBOOKS.to_vec();
    expected.sort_unstable();
    let all = notebooks();
    assert_eq!(all.iter().map(|(n, _)| n.as_str()).collect::<Vec<_>>(), expected);
    for (name, notebook) in &all {
        assert_eq!(notebook["metadata"]["kernelspec"]["name"], "rust", "{name}");
        for cell in notebook["cells"].as_array().unwrap() {
            assert!(cell["id"].is_string(), "{name}: a cell without an id");
            if cell["cell_type"] == "code" {
                assert_eq!(cell["outputs"], Value::Array(vec![]), "{name}: an output");
                assert!(cell["execution_count"].is_null(), "{name}: an execution count");
            }
        }
    }
}

#[test]
fn every_notebook_opens_with_the_same_cell() {
    let opening = "\
:dep spar = { path = \"../kernel\", package = \"spar-kernel\" }
use spar::prelude::*;
let config = Config::from_env()?;";
    for (name, notebook) in notebooks() {
        assert_eq!(code(&notebook)[0], opening, "{name}");
    }
}

#[test]
fn cells_are_short_and_define_no_function() {
    for (name, notebook) in notebooks() {
        for cell in code(&notebook) {
            let lines = cell.lines().filter(|l| !l.trim().is_empty()).count();
            assert!(lines <= 6, "{name}: a cell of {lines} lines:\n{cell}");
            assert!(!cell.contains("fn "), "{name}: a function in a cell:\n{cell}");
        }
    }
}

#[test]
fn every_dependency_hides_from_the_kernels_type_inference() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(!manifest.lines().any(|l| l.trim() == "[dependencies]"), "a dependency outside cfg(not(spar_types))");
}

#[test]
fn every_dependency_is_used() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let table = manifest.split("cfg(not(spar_types))'.dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    let names: Vec<_> = table.lines().filter_map(|l| l.split_once(" = ")).map(|(n, _)| n.replace('-', "_")).collect();
    assert!(names.len() > 20, "the table was not found: {names:?}");
    let text: String = sources().into_iter().map(|(_, text)| text).collect();
    for name in names {
        assert!(text.contains(&format!("{name}::")), "nothing in src/ uses {name}");
    }
}

#[test]
fn no_file_names_a_registry_host() {
    let folders = ["src", "tests", "notebooks", "kernel", "benches", "docker"];
    let endings = ["rs", "py", "ipynb", "toml", "sh", "sql", "txt"];
    let hosts = ["pypi.or", "crates.i", "maven.or", "npmjs.or"]
        .map(|h| format!("{h}{}", if h.ends_with('i') { "o" } else { "g" }));
    for folder in folders {
        for ending in endings {
            for file in files(&root().join(folder), ending) {
                let text = fs::read_to_string(&file).unwrap();
                for host in &hosts {
                    assert!(!text.contains(host.as_str()), "{} names {host}", file.display());
                }
            }
        }
    }
}

#[test]
fn no_notebook_carries_a_token() {
    for (name, notebook) in notebooks() {
        for cell in notebook["cells"].as_array().unwrap() {
            for word in source(cell).split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_')) {
                let looks_made_up = word.len() >= 32 && word.contains(|c: char| c.is_ascii_digit());
                assert!(!looks_made_up, "{name}: {word:?} may be a secret");
            }
        }
    }
}

/// Every text of the project: what is made, fetched or the user's own left out.
fn texts(folder: &Path) -> Vec<(String, String)> {
    let made = ["target", "out", ".git", ".spar", ".env", "node_modules"];
    let mut found = Vec::new();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if made.contains(&name.as_str()) || name.ends_with(".csv") || path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            found.extend(texts(&path));
        } else if let Ok(text) = fs::read_to_string(&path) {
            found.push((path.strip_prefix(root()).unwrap().display().to_string(), text));
        }
    }
    found
}

#[test]
fn no_file_carries_a_secret() {
    let invented = ["invalid", "example", "example.org", "example.net", "example.com", "example.social"];
    // The hash of the invented verifier of the tests of OAuth.
    let public = ["v70ixSDfoBEDrDZV-0YABusoh_Ajp_a66XlJlwBHynw"];
    let mut found = Vec::new();
    for (file, text) in texts(root()) {
        let made_up = |c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_');
        found.extend(
            text.split(made_up)
                .filter(|word| {
                    let has = |of: fn(&char) -> bool| word.chars().any(|c| of(&c));
                    word.len() >= 36
                        && has(char::is_ascii_uppercase)
                        && has(char::is_ascii_lowercase)
                        && has(char::is_ascii_digit)
                        && !public.contains(word)
                })
                .map(|word| format!("{file}: {word}")),
        );
        // Whole words with an at sign and a domain: addresses, and credentials in URLs.
        let people = text.split(|c: char| c.is_whitespace() || "\"'<>(),;`".contains(c)).filter_map(|word| {
            let (_, domain) = word.rsplit_once('@').filter(|(name, _)| !name.is_empty())?;
            let domain = domain.split(['/', ':', '?']).next()?.trim_end_matches('.');
            let top = domain.rsplit('.').next()?;
            let is_domain = domain.contains('.') && top.len() >= 2 && top.chars().all(|c| c.is_ascii_lowercase());
            let is_invented = invented.iter().any(|end| domain == *end || domain.ends_with(&format!(".{end}")));
            (is_domain && !is_invented).then(|| format!("{file}: {word}"))
        });
        found.extend(people);
        if text.contains(concat!("PRIVATE ", "KEY-----")) {
            found.push(format!("{file}: a private key"));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_readme_names_files_that_exist() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    // Every other part is a block of commands; what a run makes is not there before one.
    let prose: String = readme.split("```").step_by(2).collect();
    let made = ["out/", "target/", ".spar/"];
    let is_path = |word: &str| {
        let parts = word.trim_end_matches('/').chars();
        word.contains('/') && parts.clone().all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c))
    };
    let named: Vec<_> = prose
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| is_path(word) && !word.starts_with("./spar") && !made.contains(word))
        .collect();
    assert!(named.len() > 20, "{named:?}");
    for path in named {
        // The table of the notebooks names the modules below src/.
        let places = [root().join(path), root().join("src").join(path)];
        assert!(places.iter().any(|place| place.exists()), "the README names {path}");
    }
}
