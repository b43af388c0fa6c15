//! The broker's jars, checked against the list that the project keeps: names, versions and contents.

use crate::error::{Error, Result};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io;
use std::path::Path;

/// One line per jar: its sha256 and its name.
pub const LIST: &str = include_str!("jars.txt");

/// Checks that `folder` holds exactly the jars of the list, byte for byte.
///
/// # Errors
///
/// Fails if one is missing, differs or is too many, and names it.
pub fn verify_jars(folder: &Path) -> Result<()> {
    let wrong = |why: String| {
        Error::cannot(format!("use Kafka's jars in {}", folder.display()), why)
            .next("remove the folder and run `./spar setup`")
            .invalid()
    };
    let mut listed = Vec::new();
    for (expected, name) in LIST.lines().filter_map(|line| line.split_once("  ")) {
        let mut jar = File::open(folder.join(name)).map_err(|e| wrong(format!("{name}: {e}")))?;
        let mut hash = Sha256::new();
        io::copy(&mut jar, &mut hash).map_err(|e| wrong(format!("{name}: {e}")))?;
        let found: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        if found != expected {
            return Err(wrong(format!("{name} is not the expected file (sha256 {found})")));
        }
        listed.push(name);
    }
    // All jars of the folder are on the class path, so a stranger among them would run too.
    for entry in fs::read_dir(folder).map_err(|e| wrong(e.to_string()))? {
        let name = entry.map_err(|e| wrong(e.to_string()))?.file_name();
        let name = name.to_string_lossy();
        if name.ends_with(".jar") && !listed.contains(&name.as_ref()) {
            return Err(wrong(format!("{name} is not on the list")));
        }
    }
    Ok(())
}
