//! The table of what must be right names, for every line that matters, tests that exist.

use crate::support::home;
use std::fs;

/// How many requirements each part has.
const PARTS: [(&str, usize); 6] = [("P1", 17), ("P2", 20), ("P3", 10), ("P4", 16), ("P5", 10), ("S", 8)];

/// The lines of the table: id, severity, and what shows it.
fn lines(table: &str) -> Vec<(&str, &str, &str)> {
    table
        .lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim).collect();
            let [id, severity, _, shown] = cells[..] else { return None };
            id.contains(|c: char| c.is_ascii_digit()).then_some((id, severity, shown))
        })
        .collect()
}

/// The tests that a cell names, as `module::test`.
fn tests(shown: &str) -> Vec<&str> {
    let quoted = shown.split('`').skip(1).step_by(2);
    quoted.filter(|word| word.contains("::")).collect()
}

/// True when the file of the module has a test of that name.
fn exists(test: &str) -> bool {
    let (module, name) = test.rsplit_once("::").unwrap();
    let module = module.replace("::", "/");
    let files = [format!("tests/it/{module}.rs"), format!("tests/it/{module}/mod.rs"), format!("tests/{module}.rs")];
    let heads = [format!("#[test]\nfn {name}("), format!("#[test]\n    fn {name}(")];
    let has = |text: String| heads.iter().any(|head| text.contains(head));
    files.iter().filter_map(|file| fs::read_to_string(home().join(file)).ok()).any(has)
}

#[test]
fn every_requirement_has_its_test() {
    let table = fs::read_to_string(home().join("docs/contract.md")).unwrap();
    let lines = lines(&table);
    let ids: Vec<String> = lines.iter().map(|(id, ..)| (*id).to_owned()).collect();
    let wanted: Vec<String> =
        PARTS.iter().flat_map(|(part, count)| (1..=*count).map(move |n| format!("{part}-{n:02}"))).collect();
    assert_eq!(ids, wanted);
    for (id, severity, shown) in lines {
        let named = tests(shown);
        let unknown: Vec<_> = named.iter().filter(|test| !exists(test)).collect();
        assert!(unknown.is_empty(), "{id} names tests that do not exist: {unknown:?}");
        match severity {
            "A" | "B" => assert!(!named.is_empty(), "{id} has no test"),
            "C" | "D" => assert!(!named.is_empty() || shown.starts_with("waits: "), "{id} has no test and no reason"),
            other => panic!("{id} has the severity {other:?}"),
        }
    }
}
