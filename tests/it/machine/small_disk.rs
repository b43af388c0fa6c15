//! A disk so small that a test can fill it: a file system in memory, in a namespace of the test's own. Needs no root,
//! but a system that lets users make namespaces.

use crate::namespaces::unshare;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The disk; it is gone when this is dropped, or when the test ends in any other way.
pub struct SmallDisk {
    holder: Child,
    folder: tempfile::TempDir,
}

impl SmallDisk {
    /// Mounts a disk of so many megabytes.
    pub fn new(megabytes: u32) -> Self {
        let folder = tempfile::Builder::new().prefix("disk").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let size = format!("size={megabytes}m");
        let mut holder = unshare(&["--user", "--map-root-user", "--mount"])
            .args(["sh", "-c"])
            // It lasts as long as our end of its stdin.
            .arg("mount -t tmpfs -o \"$1\",mode=755 small \"$2\" && echo mounted && exec cat")
            .args(["sh", &size])
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("util-linux is there");
        let mut line = String::new();
        BufReader::new(holder.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        if line != "mounted\n" {
            let mut why = String::new();
            holder.stderr.take().unwrap().read_to_string(&mut why).unwrap();
            panic!("no disk was mounted: {why}");
        }
        Self { holder, folder }
    }

    /// Its folder, as programs inside see it.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The same, as this program reaches it.
    pub fn seen(&self) -> PathBuf {
        let root = format!("/proc/{}/root", self.holder.id());
        Path::new(&root).join(self.folder.path().strip_prefix("/").unwrap())
    }

    /// A program that has the disk.
    pub fn inside(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut enter = Command::new("nsenter");
        enter.args(["--user", "--preserve-credentials", "--mount", "--target", &self.holder.id().to_string(), "--"]);
        enter.arg(program);
        enter
    }

    /// Fills the disk but for so many bytes; removing the file gives them back.
    pub fn fill(&self, but: u64) -> PathBuf {
        let ballast = self.seen().join("ballast");
        let mut file = File::create(&ballast).unwrap();
        let zeros = vec![0; 4096];
        while file.write_all(&zeros).is_ok() {}
        let all = file.metadata().unwrap().len();
        file.set_len(all.saturating_sub(but)).unwrap();
        ballast
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
        let _ = fs::remove_dir_all(self.folder.path());
    }
}
