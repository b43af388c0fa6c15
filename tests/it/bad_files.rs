//! Labelled files and settings as people really bring them: each is read right, or refused in one sentence that names
//! the file, the line where there is one, the cause and the next step.

use crate::namespaces::unshare;
use crate::support::{command, eventually, home};
use spar::sentiment::{self, Labelled, read_labelled};
use spar::{Config, Error};
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

fn read(bytes: &[u8]) -> Result<Labelled, Error> {
    read_labelled(bytes.to_vec(), "tweets.csv")
}

/// `rows` rows in the form of Sentiment140.
fn rows(rows: usize) -> Vec<u8> {
    let row = |n: usize| {
        let target = if n.is_multiple_of(2) { 0 } else { 4 };
        format!(
            "\"{target}\",\"{n}\",\"Mon Apr 06 22:19:45 PDT 2009\",\"NO_QUERY\",\"user{n}\",\"the tweet, number {n}\"\n"
        )
    };
    (0..rows).map(row).collect::<String>().into_bytes()
}

/// A file that cannot be used, and what the sentence must say.
fn wrong_files() -> Vec<(&'static str, Vec<u8>, Vec<&'static str>)> {
    let utf_16 = |text: &str, little: bool| -> Vec<u8> {
        text.encode_utf16().flat_map(|unit| if little { unit.to_le_bytes() } else { unit.to_be_bytes() }).collect()
    };
    let plain = "0,so sad\n4,so glad\n";
    let good = String::from_utf8(rows(4)).unwrap();
    let marked = |mark: &[u8], body: Vec<u8>| [mark, &body].concat();
    vec![
        ("empty", vec![], vec!["empty"]),
        ("only blanks", b" \r\n\t\r\n".to_vec(), vec!["empty"]),
        ("only a mark", b"\xef\xbb\xbf".to_vec(), vec!["empty"]),
        ("only a header", b"target,ids,date,flag,user,text\n".to_vec(), vec!["both labels 0 and 4", "0 rows of 0"]),
        ("one class only", b"4,glad\n4,happy\n".to_vec(), vec!["both labels 0 and 4", "2 of 4"]),
        ("three columns", b"1,0,sad\n2,4,glad\n".to_vec(), vec!["neither 6 nor 2 columns"]),
        ("one column", b"sad\nglad\n".to_vec(), vec!["neither 6 nor 2 columns"]),
        (
            "a row too long",
            format!("{good}\"0\",\"1\",\"d\",\"q\",\"u\",\"x\",\"y\"\n").into(),
            vec!["line 5", "7 columns"],
        ),
        ("a row too short", format!("{good}\"0\",\"x\"\n").into(), vec!["line 5", "2 columns"]),
        ("semicolons", b"0;1;d;q;u;sad\n4;2;d;q;u;glad\n".to_vec(), vec!["semicolons", "commas"]),
        ("semicolons, two columns", b"0;sad\n4;glad\n".to_vec(), vec!["semicolons"]),
        ("semicolons and a comma", b"0;so sad, really\n4;glad\n".to_vec(), vec!["line 1", "semicolons"]),
        ("semicolons, quoted", b"\"0\";\"so sad, really\"\n".to_vec(), vec!["semicolons"]),
        ("bars", b"0|1|d|q|u|sad\n".to_vec(), vec!["bars"]),
        ("tabs", b"0\t1\td\tq\tu\tsad\n4\t2\td\tq\tu\tglad\n".to_vec(), vec!["6 columns separated by TAB"]),
        ("UTF-16 of Windows", marked(b"\xff\xfe", utf_16(plain, true)), vec!["UTF-16", "UTF-8"]),
        ("UTF-16 the other way", marked(b"\xfe\xff", utf_16(plain, false)), vec!["UTF-16"]),
        ("UTF-16 without a mark", utf_16(plain, true), vec!["UTF-16"]),
        ("UTF-16 the other way, no mark", utf_16(plain, false), vec!["UTF-16"]),
        ("a NUL", b"0,a b\n4,c\0d\n".to_vec(), vec!["null byte at offset 9"]),
        ("zip", b"PK\x03\x04\x14\0".to_vec(), vec!["zip", "Excel", "CSV"]),
        ("gzip", b"\x1f\x8b\x08\0".to_vec(), vec!["compressed", "unpack"]),
        ("bzip2", b"BZh91AY".to_vec(), vec!["compressed"]),
        ("xz", b"\xfd7zXZ\0".to_vec(), vec!["compressed"]),
        ("7z", b"7z\xbc\xaf\x27\x1c".to_vec(), vec!["compressed"]),
        ("zstd", b"\x28\xb5\x2f\xfd".to_vec(), vec!["compressed"]),
        ("PNG", b"\x89PNG\r\n\x1a\n\0\0".to_vec(), vec!["picture"]),
        ("JPEG", b"\xff\xd8\xff\xe0\0".to_vec(), vec!["picture"]),
        ("PDF", b"%PDF-1.7\n".to_vec(), vec!["document"]),
        ("a page", b"<!DOCTYPE html>\n<html>".to_vec(), vec!["HTML", "download"]),
        ("labels in words", b"negative,sad\npositive,glad\n".to_vec(), vec!["line 1", "\"negative\"", "0, 2 or 4"]),
        ("labels 0 and 1", b"0,sad\n1,glad\n".to_vec(), vec!["line 2", "\"1\"", "0, 2 or 4"]),
        ("a label below zero", b"0,sad\n4,glad\n-1,x\n".to_vec(), vec!["line 3", "\"-1\""]),
        ("a label not a number", b"0,sad\n4,glad\nNaN,x\n".to_vec(), vec!["line 3", "\"NaN\""]),
        ("text and label swapped", b"so very sad today,0\nso glad,4\n".to_vec(), vec!["line 1", "the label is a text"]),
        ("a rating of 5", b"1\t2.5\tgood\n2\t-5\tbad\n".to_vec(), vec!["line 2", "from -4 to 4"]),
        ("a rating that is none", b"1\t2.5\tgood\n2\tNaN\tbad\n".to_vec(), vec!["line 2", "from -4 to 4"]),
        (
            "an open quote at the end",
            b"0,sad\n4,glad\n4,\"open\n0,lost\n4,lost too\n".to_vec(),
            vec!["line 3", "never closed"],
        ),
        (
            "an open quote before another",
            b"0,sad\n4,\"open\n0,lost\n4,\"fine\"\n".to_vec(),
            vec!["line 2", "never closed"],
        ),
        ("an open quote in a quoted file", open_quote(&good), vec!["line 2"]),
        ("a field without end", format!("0,sad\n4,{}\n", "x".repeat(30_000)).into(), vec!["line 2", "30000 bytes"]),
    ]
}

/// The closing quote of the second row's text is missing.
fn open_quote(good: &str) -> Vec<u8> {
    good.replace("number 1\"", "number 1").into_bytes()
}

#[test]
fn a_wrong_labelled_file_of_every_kind_is_refused_with_its_cause_and_the_next_step() {
    let files = wrong_files();
    for (kind, bytes, words) in &files {
        let error = read(bytes).expect_err(kind);
        let told = error.to_string();
        assert!(
            error.is_invalid() && told.starts_with("cannot read the labelled texts of tweets.csv: "),
            "{kind}: {told}"
        );
        for word in words {
            assert!(told.contains(word), "{kind}: {word:?} in {told}");
        }
        assert!(told.contains("; give a CSV file") && told.len() < 600 && !told.contains('\n'), "{kind}: {told}");
    }
    println!("{} wrong labelled files, each with one sentence", files.len());
}

#[test]
fn a_strange_labelled_file_that_is_right_is_read_right() {
    let texts = |found: &Labelled| -> Vec<String> {
        (0..found.corpus.len()).map(|row| found.corpus.text(row).to_owned()).collect()
    };
    let two = |bytes: &[u8]| texts(&read(bytes).unwrap());
    assert_eq!(two(b"0,sad\r\n4,glad\r\n"), ["sad", "glad"], "lines of Windows");
    assert_eq!(two(b"0,sad\r4,glad\r"), ["sad", "glad"], "lines of old Macs");
    assert_eq!(two(b"0\tsad\r4\tglad\r"), ["sad", "glad"], "the same with tabs");
    assert_eq!(two(b"\n\n0,sad\n\n4,glad"), ["sad", "glad"], "empty lines, and none at the end");
    assert_eq!(two(b"\xef\xbb\xbf0,caf\xc3\xa9\n4,glad\n"), ["café", "glad"], "a byte order mark");
    assert_eq!(two(b"0,caf\xe9 \x93so\x94\n4,glad\n"), ["café “so”", "glad"], "Windows-1252");
    assert_eq!(two(b"0,5\" screen\n4,say \"hi\" there\n"), ["5\" screen", "say \"hi\" there"], "quotes inside");
    assert_eq!(two(b"0,\"a\nb\"\n4,\"c \"\"d\"\"\ne\"\n"), ["a\nb", "c \"d\"\ne"], "line breaks in quotes");
    assert_eq!(two(b" 0 , sad \n4.0,glad\n"), ["sad", "glad"], "blanks and decimals");
    let found = read(b"0,same\n0,same\n4,same\n4,glad\n").unwrap();
    assert_eq!(
        (found.read, found.corpus.counts()),
        (4, [2, 0, 2]),
        "rows twice and contradicting ones stay as they are"
    );
}

#[test]
fn an_open_quote_in_the_middle_of_a_million_rows_is_found_where_it_is() {
    let (all, at) = (1_000_000, 512_345);
    let mut file = rows(all);
    let number = format!("number {at}\"");
    let end = memchr::memmem::find(&file, number.as_bytes()).unwrap() + number.len() - 1;
    file.remove(end);
    let size = file.len();
    let began = Instant::now();
    let told = read_labelled(file, "tweets.csv").unwrap_err().to_string();
    assert!(told.contains(&format!("line {}", at + 1)), "{told}");
    println!("{all} rows, {} MB: the open quote was found in {:.1} s", size >> 20, began.elapsed().as_secs_f64());
}

/// The sentence of `load_training` for a file of one's own.
fn told(folder: &Path, file: &Path) -> String {
    let named = file.display().to_string();
    let config = Config::from_settings(folder, |key| (key == "SPAR_TRAINING_FILE").then(|| named.clone())).unwrap();
    sentiment::load_training(&config).err().expect("the file is wrong").to_string()
}

#[test]
fn a_path_that_is_no_readable_file_is_told_for_what_it_is() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    fs::create_dir(at("folder")).unwrap();
    symlink(at("loop"), at("loop")).unwrap();
    symlink(at("gone"), at("broken")).unwrap();
    fs::write(at("file"), "x").unwrap();
    let socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    let huge = fs::File::create(at("huge")).unwrap();
    huge.set_len(3 << 30).unwrap();
    fs::write(at("name\nwith \u{1b}[31mEVCXR_BEGIN_CONTENT x"), "0;sad\n").unwrap();
    for (name, cause) in [
        ("missing", "there is no such file"),
        ("folder", "it is a folder"),
        ("loop", "symbolic links"),
        ("broken", "a link to a file that is not there"),
        ("file/inside", "Not a directory"),
        ("socket", "no ordinary file"),
        ("huge", "more than 2147483648"),
        ("name\nwith \u{1b}[31mEVCXR_BEGIN_CONTENT x", "semicolons"),
    ] {
        let told = told(place.path(), &at(name));
        assert!(told.contains(cause) && told.contains("; "), "{name}: {told}");
        assert!(!told.contains(['\n', '\u{1b}']) && !told.contains("EVCXR_"), "{told}");
    }
    drop(socket);
    // The user's own place holds something that is no file: the default set must not pass for it.
    let data = place.path().join("data");
    fs::create_dir_all(data.join("tweets_dataset.csv")).unwrap();
    let config = Config::from_settings(place.path(), |_| None).unwrap();
    let told = sentiment::load_training(&config).err().expect("a folder is no file").to_string();
    assert!(told.contains("it is a folder") && told.contains("remove it"), "{told}");
}

#[test]
fn a_file_that_grows_while_it_is_read_is_not_taken_for_whole() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("tweets.csv");
    fs::write(&file, rows(100_000)).unwrap();
    let named = file.display().to_string();
    let config =
        Config::from_settings(place.path(), |key| (key == "SPAR_TRAINING_FILE").then(|| named.clone())).unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = fs::OpenOptions::new().append(true).open(&file).unwrap();
            while !over.load(Ordering::Relaxed) {
                file.write_all(b"\"4\",\"1\",\"d\",\"q\",\"u\",\"one more\"\n").unwrap();
            }
        });
        // The error, if it comes, is a sentence; the writer must stop before anything is asserted.
        let mut told = String::new();
        let deadline = Instant::now() + Duration::from_secs(20);
        while told.is_empty() && Instant::now() < deadline {
            told = sentiment::load_training(&config).err().map(|e| e.to_string()).unwrap_or_default();
        }
        over.store(true, Ordering::Relaxed);
        assert!(told.contains("it changed while it was read") && told.contains("run the cell again"), "{told}");
    });
    eventually("the file rests", Duration::from_secs(5), || sentiment::load_training(&config).is_ok());
}

#[test]
fn an_env_file_that_one_may_not_read_is_told_with_the_next_step() {
    let project = tempfile::tempdir().unwrap();
    let file = project.path().join(".env");
    fs::write(&file, "KAFKA_TOPIC=hidden\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).unwrap();
    // An ordinary user even where the tests run as root.
    let mut user = unshare(&["--user", "--map-user=1000"]);
    user.arg(command()).args(["services", "status"]).env("SPAR_HOME", project.path());
    let output = user.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && told.contains(".env") && told.contains("Permission denied"), "{told}");
    assert!(told.contains("that you may read"), "{told}");
}

/// What `spar services status` says in a project whose `.env` holds `bytes`, with one more variable.
fn status_told(bytes: Option<&[u8]>, variable: Option<(&str, &[u8])>) -> (bool, String) {
    let project = tempfile::tempdir().unwrap();
    match bytes {
        Some(bytes) => fs::write(project.path().join(".env"), bytes).unwrap(),
        None => fs::create_dir(project.path().join(".env")).unwrap(),
    }
    let mut command = Command::new(command());
    command.args(["services", "status"]).env_clear().env("SPAR_HOME", project.path());
    for inherited in ["PATH", "LD_LIBRARY_PATH", "HOME"] {
        command.envs(std::env::var_os(inherited).map(|value| (inherited, value)));
    }
    if let Some((key, value)) = variable {
        command.env(key, std::ffi::OsStr::from_bytes(value));
    }
    let output = command.output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn an_env_file_of_any_kind_is_read_or_told_without_its_words() {
    let utf_16: Vec<u8> = "KAFKA_TOPIC=hidden".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let marked = [b"\xff\xfe", &utf_16[..]].concat();
    let wrong: [(&str, Option<&[u8]>, &str); 9] = [
        ("a folder", None, "directory"),
        ("UTF-16", Some(&marked), "UTF-8"),
        ("UTF-16 without a mark", Some(&utf_16), "UTF-8"),
        ("Latin-1", Some(b"KAFKA_TOPIC=hidden\xe9\n"), "UTF-8"),
        ("a NUL", Some(b"KAFKA_TOPIC=hid\0den\n"), "UTF-8"),
        ("no equals sign", Some(b"KAFKA_TOPIC=a\nhidden\n"), "first 1 settings"),
        ("an open quote", Some(b"KAFKA_TOPIC='hidden\n"), "first 0 settings"),
        ("a key with a space", Some(b"KAFKA TOPIC=hidden\n"), "first 0 settings"),
        ("a picture", Some(b"\x89PNG\r\n\x1a\nhidden"), "UTF-8"),
    ];
    for (kind, bytes, cause) in wrong {
        let (fine, told) = status_told(bytes, None);
        assert!(!fine && told.contains(".env") && told.contains(cause), "{kind}: {told}");
        assert!(
            told.contains("; ") && !told.contains("hidden") && told.trim_end().lines().count() == 1,
            "{kind}: {told}"
        );
    }
    let right: [(&str, &[u8]); 5] = [
        ("empty", b""),
        ("a byte order mark", b"\xef\xbb\xbfKAFKA_TOPIC=a\n"),
        ("lines of Windows", b"KAFKA_TOPIC=a\r\n# a remark\r\n\r\nSPAR_SEED=7\r\n"),
        ("exports, quotes and the same key twice", b"export KAFKA_TOPIC='a b'\nKAFKA_TOPIC=\"c\"\n"),
        ("unknown keys", b"SOMETHING_ELSE=1\n"),
    ];
    for (kind, bytes) in right {
        let (fine, told) = status_told(Some(bytes), None);
        assert!(fine, "{kind}: {told}");
    }
    println!("{} wrong and {} strange .env files", wrong.len(), right.len());
}

#[test]
fn a_setting_that_makes_no_sense_is_named_with_what_is_wanted() {
    let cases: [(&str, &[&str], &str); 8] = [
        (
            "SPAR_WINDOW_SECONDS",
            &["0", "-1", "1.5", "1e3", "3600s", "one hour", "99999999999999999999", "NaN"],
            "a number from 1",
        ),
        ("SPAR_LATENESS_SECONDS", &["0", "-3600", "∞", "0x10"], "a number from 1"),
        ("SPAR_IDLE_SECONDS", &["0", "86401", "a\u{1b}[31m"], "a number from 1 to 86400"),
        ("SPAR_LISTEN_SECONDS", &["0", "soon"], "a number from 1 to 86400"),
        ("SPAR_LOCAL_SPEED", &["0", "NaN", "-1", "inf", "fast"], "a number from"),
        ("KAFKA_PARTITIONS", &["0", "-1", "1025", "six"], "a number from 1 to 1024"),
        ("SPAR_LANGUAGES", &["english", "e", "en-GB", "en fr", "en;fr", "12", "日本", "*", "en,,f"], "language code"),
        ("SPAR_KEYWORDS", &["#", "!!!", "AI,#", "#machine learning", "#c++", "\u{200b}", "##ai"], "SPAR_KEYWORDS"),
    ];
    let mut tried = 0;
    for (key, values, wanted) in cases {
        for value in values {
            let error = Config::from_settings(home(), |k| (k == key).then(|| (*value).to_owned()));
            let told = error.map(|_| ()).expect_err(value).to_string();
            assert!(
                told.contains(key) && told.contains(wanted) && told.contains("; change it"),
                "{key}={value}: {told}"
            );
            assert!(!told.contains('\u{1b}'), "{told:?}");
            tried += 1;
        }
    }
    for (key, value) in [
        ("SPAR_LANGUAGES", "EN, fr ,,kab"),
        ("SPAR_KEYWORDS", "#Rust,Ada Lovelace,c++,日本,#été"),
        ("SPAR_WINDOW_SECONDS", " 60 "),
    ] {
        let config = Config::from_settings(home(), |k| (k == key).then(|| value.to_owned()));
        assert!(config.is_ok(), "{key}={value}: {:?}", config.err());
    }
    let (fine, told) = status_told(Some(b""), Some(("SPAR_TRAINING_FILE", b"caf\xe9.csv")));
    assert!(!fine && told.contains("SPAR_TRAINING_FILE") && told.contains("UTF-8"), "{told}");
    println!("{} values of settings that make no sense", tried + 1);
}
