//! One list of versions: images and tools are those of `docker/versions.yml`, and none is "whatever is newest".

use super::dockerfile::instructions;
use super::{services, text, yaml};
use std::collections::BTreeSet;

/// The images that the files name, but for the project's own.
fn named() -> BTreeSet<String> {
    let composed = services().into_values().map(|s| s["image"].as_str().unwrap().to_owned());
    let built = instructions().into_iter().filter_map(|l| Some(l.strip_prefix("FROM ")?.split(' ').next()?.to_owned()));
    composed.chain(built).filter(|image| !image.starts_with("spar-jupyter:")).collect()
}

#[test]
fn the_images_are_those_of_the_list() {
    let list = yaml("docker/versions.yml");
    let listed: BTreeSet<String> = list["images"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| {
            assert!(i["why"].as_str().is_some_and(|w| !w.is_empty()), "{i}");
            // Nobody could ask a registry of images: when one can, this line and the header of the file change.
            assert_eq!(i["seen"], "named", "{i}");
            format!("{}:{}", i["image"].as_str().unwrap(), i["tag"].as_str().unwrap())
        })
        .collect();
    assert_eq!(named(), listed);
    for image in listed {
        let tag = image.rsplit(':').next().unwrap();
        let exact = tag.contains(['.', '-']) && tag.starts_with(|c: char| c.is_ascii_digit());
        assert!(exact && !tag.contains("latest"), "{image} is no exact version");
    }
}

#[test]
fn the_tools_are_those_of_the_list() {
    let list = yaml("docker/versions.yml");
    let tools = list["tools"].as_array().unwrap();
    assert!(tools.len() >= 10);
    for tool in tools {
        let (name, version) = (tool["tool"].as_str().unwrap(), tool["version"].as_str().unwrap());
        assert!(tool["why"].as_str().is_some_and(|w| !w.is_empty()), "{name}");
        for (file, words) in tool["stands_in"].as_object().unwrap() {
            let words = words.as_str().unwrap();
            // "1.95" stands for 1.95.0 where a manifest wants it so.
            let short = version.rsplit_once('.').map_or(version, |(short, _)| short);
            assert!(words.contains(version) || words.contains(short), "{name}: {words:?} names another version");
            assert!(text(file).contains(words), "{name}: {file} does not say {words:?}");
        }
    }
}

#[test]
fn every_python_package_has_one_exact_version() {
    let folder = crate::support::home().join("src/setup");
    let mut lines = 0;
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.path().extension().is_none_or(|e| e != "txt") {
            continue;
        }
        for line in std::fs::read_to_string(entry.path()).unwrap().lines().filter(|l| !l.starts_with('#')) {
            let pinned =
                line.split_once("==").is_some_and(|(_, version)| !version.starts_with('*') && !version.is_empty());
            assert!(pinned, "{}: {line}", entry.path().display());
            lines += 1;
        }
    }
    assert!(lines > 50, "{lines} packages");
}

#[test]
fn nothing_is_the_latest() {
    for file in ["docker-compose.yml", "Dockerfile", "docker/versions.yml"] {
        assert!(!text(file).contains(":latest"), "{file}");
    }
    for crate_line in text("Cargo.toml").lines().filter(|l| l.contains(" = ")) {
        assert!(!crate_line.contains("\"*\""), "{crate_line}");
    }
    assert!(text("spar").contains("cargo build --locked"));
}
