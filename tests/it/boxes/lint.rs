//! Files that no compiler reads, read by checkers that others wrote; `./spar test` installs them.

use super::text;
use crate::support::{config_in, home};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A checker among the tools of the tests.
fn checker(name: &str) -> Command {
    let program = spar::setup::Tools::of(&config_in(Path::new("unused"), &[])).checkers.join(name);
    assert!(program.exists(), "{} is not there: start the tests by `./spar test`", program.display());
    let mut command = Command::new(program);
    command.current_dir(home());
    command
}

/// Runs it and gives whether it was content, and what it said.
fn ask(mut checker: Command) -> (bool, String) {
    let output = checker.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// The project's shell scripts: those of the folders where they belong that begin with a shell's line.
fn scripts() -> Vec<PathBuf> {
    let folders = ["", "docker", "tests", ".ci"].map(|folder| home().join(folder));
    let files = folders.into_iter().flat_map(|folder| std::fs::read_dir(folder).unwrap().flatten().map(|e| e.path()));
    let mut found: Vec<_> = files
        .filter(|file| {
            let start = std::fs::read(file).unwrap_or_default();
            let line = start.split(|b| *b == b'\n').next().unwrap_or_default();
            line.starts_with(b"#!") && line.ends_with(b"sh")
        })
        .collect();
    found.sort();
    found
}

#[test]
fn hadolint_has_no_word_about_the_dockerfile() {
    let mut lint = checker("hadolint");
    lint.args(["--no-color", "--failure-threshold", "style", "Dockerfile"]);
    let (content, said) = ask(lint);
    assert!(content && said.trim().is_empty(), "{said}");

    // It has one where there is something to say.
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("Dockerfile");
    std::fs::write(&bad, "FROM debian:latest\nRUN cd / && apt-get install make\n").unwrap();
    let mut lint = checker("hadolint");
    lint.arg(&bad);
    let (content, said) = ask(lint);
    assert!(!content && said.contains("DL3007"), "{said}");
}

#[test]
fn shellcheck_has_no_word_about_the_scripts() {
    let all = scripts();
    let names: Vec<_> = all.iter().map(|f| f.strip_prefix(home()).unwrap().display().to_string()).collect();
    for name in ["spar", ".ci/run", "docker/postgres-role.sh", "tests/debian.sh"] {
        assert!(names.iter().any(|n| n == name), "{name} is not among {names:?}");
    }
    let mut lint = checker("shellcheck");
    lint.args(["--severity=style", "--color=never"]).args(&all);
    let (content, said) = ask(lint);
    assert!(content && said.trim().is_empty(), "{said}");
}

#[test]
fn the_compose_file_passes_the_compose_specifications_schema() {
    let schema = |file: &Path| {
        let mut check = checker("check-jsonschema");
        check.args(["--builtin-schema", "vendor.compose-spec", "--color", "never"]).arg(file);
        ask(check)
    };
    let (content, said) = schema(&home().join("docker-compose.yml"));
    assert!(content, "{said}");

    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("docker-compose.yml");
    std::fs::write(&bad, text("docker-compose.yml").replacen("    mem_limit:", "    memory_limit:", 1)).unwrap();
    let (content, said) = schema(&bad);
    assert!(!content && said.contains("memory_limit"), "{said}");
}
