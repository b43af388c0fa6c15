//! The launcher on a machine that lacks something: each thing is named with the line that installs it.

use crate::support::home;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What every system has.
const ALWAYS: [&str; 12] =
    ["sh", "dirname", "cut", "sort", "head", "uname", "mkdir", "id", "cksum", "tr", "sed", "cat"];

/// A machine: the programs on its path, and nothing else.
struct Machine {
    folder: tempfile::TempDir,
}

impl Machine {
    fn bare() -> Self {
        let machine = Self { folder: tempfile::tempdir().unwrap() };
        for program in ALWAYS {
            machine.link(program);
        }
        machine
    }

    /// With everything that the project asks for.
    fn complete() -> Self {
        let machine = Self::bare();
        for program in ["python3", "cc", "c++", "make"] {
            machine.link(program);
        }
        machine.script("cargo", "exit 97").script("rustc", "echo 'rustc 1.95.0 (0000000 2026-01-01)'");
        machine
    }

    fn link(&self, program: &str) {
        symlink(real(program), self.folder.path().join(program)).unwrap();
    }

    fn script(&self, program: &str, text: &str) -> &Self {
        let file = self.folder.path().join(program);
        let _ = fs::remove_file(&file);
        fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    fn without(&self, program: &str) -> &Self {
        fs::remove_file(self.folder.path().join(program)).unwrap();
        self
    }

    /// What `./spar check` says on it, and its exit code.
    fn spar(&self) -> (String, Option<i32>) {
        let mut launcher = Command::new("/bin/sh");
        launcher.arg(home().join("spar")).arg("check").env("PATH", self.folder.path()).env_remove("PYTHON");
        // Nothing may be compiled into the project's own folder.
        launcher.env("CARGO_TARGET_DIR", self.folder.path().join("target"));
        super::ground::told(&launcher.output().unwrap())
    }

    /// Asserts that the launcher stops and says each of `lines`.
    fn lacks(&self, lines: &[&str]) {
        let (said, code) = self.spar();
        assert_eq!(code, Some(1), "{said}");
        assert!(said.starts_with("cannot start: this machine lacks"), "{said}");
        assert!(said.ends_with("Install it, then run the same command again.\n"), "{said}");
        for line in lines {
            assert!(said.contains(line), "{line:?} is not in: {said}");
        }
        print!("{said}");
    }
}

/// Where the program is on the machine that runs the tests.
fn real(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    let found = std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.exists());
    let found = found.unwrap_or_else(|| panic!("no {program} on this machine"));
    if program != "python3" {
        return found;
    }
    // A version manager's stand-in would look for its own programs on the path.
    let asked = Command::new(&found).args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
    Path::new(String::from_utf8_lossy(&asked.stdout).trim()).to_owned()
}

#[test]
fn an_empty_machine_is_told_all_that_it_lacks_with_the_lines_of_its_system() {
    let things =
        ["Rust 1.95 or newer\n", "Python 3.10 or newer, with venv\n", "a C compiler\n", "a C++ compiler\n", "make\n"];
    let debian = [
        "sudo apt-get install python3 python3-venv",
        "sudo apt-get install gcc libc6-dev",
        "sudo apt-get install g++",
        "sudo apt-get install make",
        "sudo apt-get install rustup && rustup default stable",
    ];
    let fedora = [
        "sudo dnf install python3",
        "sudo dnf install gcc glibc-devel",
        "sudo dnf install gcc-c++",
        "sudo dnf install make",
        "sudo dnf install rustup && rustup-init -y",
    ];
    let mac = ["brew install python", "xcode-select --install", "brew install rustup && rustup default stable"];
    let everywhere = ["rust-lang.org describes the installer"];

    let machine = Machine::bare();
    machine.script("apt-get", "");
    machine.lacks(&[&things[..], &debian, &everywhere].concat());
    assert!(!machine.spar().0.contains("dnf"), "only the lines of this system");

    let machine = Machine::bare();
    machine.script("dnf", "");
    machine.lacks(&[&things[..], &fedora, &everywhere].concat());

    let machine = Machine::bare();
    machine.script("uname", "echo Darwin");
    machine.lacks(&[&things[..], &mac, &everywhere].concat());

    let machine = Machine::bare();
    machine.lacks(&[&things[..], &debian, &fedora, &mac, &["Debian, Ubuntu:", "Fedora:", "macOS:"]].concat());
}

/// Takes something from a machine.
type Break = fn(&Machine);

#[test]
fn each_missing_or_old_thing_is_named_alone() {
    let cases: [(&str, Break, &str); 9] = [
        ("no C compiler", |m| _ = m.without("cc"), "\n  a C compiler\n"),
        ("no C++ compiler", |m| _ = m.without("c++"), "\n  a C++ compiler\n"),
        ("no make", |m| _ = m.without("make"), "\n  make\n"),
        ("no cargo", |m| _ = m.without("cargo"), "\n  Rust 1.95 or newer\n"),
        ("old Rust", |m| _ = m.script("rustc", "echo 'rustc 1.94.1 (0000000 2026-01-01)'"), "(this is 1.94.1)"),
        ("old Rust, with rustup", outdated, "rustup update stable && rustup default stable\n"),
        ("no Python", |m| _ = m.without("python3"), "\n  Python 3.10 or newer, with venv\n"),
        ("old Python", |m| _ = m.script("python3", "echo 3.9.18"), "(this is 3.9.18); set PYTHON to another"),
        ("Python without venv", without_venv, "\n  the venv module of Python\n"),
    ];
    for (case, breaks, words) in cases {
        let machine = Machine::complete();
        machine.script("apt-get", "");
        breaks(&machine);
        machine.lacks(&[words]);
        let installs = machine.spar().0.lines().filter(|line| line.starts_with("      ")).count();
        assert_eq!(installs, 1, "{case}: one thing is missing");
    }
    println!("{} machines that lack one thing: each was told which", cases.len());
}

/// A toolchain that rustup can bring up to date.
fn outdated(machine: &Machine) {
    machine.script("rustup", "");
    machine.script("rustc", "echo 'rustc 1.94.1 (0000000 2026-01-01)'");
}

/// Debian's Python before `python3-venv` is installed.
fn without_venv(machine: &Machine) {
    let python = real("python3");
    let text = format!("case \"$*\" in *ensurepip*) exit 1 ;; esac\nexec '{}' \"$@\"", python.display());
    machine.script("python3", &text);
}

#[test]
fn a_machine_that_has_everything_gets_as_far_as_the_compiler_whose_failure_is_told() {
    let machine = Machine::complete();
    let (said, code) = machine.spar();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("cannot compile spar") && said.contains("it goes on where it was"), "{said}");
}
