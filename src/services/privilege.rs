//! Who runs PostgreSQL: its programs refuse root, so root runs them under another user id.

use crate::error::{Error, Result};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The id of the user that nobody is.
const NOBODY: u32 = 65534;

/// How a program that refuses root is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Privilege {
    /// As the caller, who is not root.
    Caller,
    /// In a user namespace: another id inside, while the files stay root's.
    Namespace,
    /// As nobody, who must be able to reach programs and data.
    Nobody,
}

impl Privilege {
    /// The first way that works for `program` on this machine.
    pub(crate) fn find(program: &Path) -> Result<Self> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self::Caller);
        }
        [Self::Namespace, Self::Nobody].into_iter().find(|way| way.works(program)).ok_or_else(|| {
            Error::cannot(
                format!("run {} as another user than root", program.display()),
                "neither `unshare --user` nor `setpriv --reuid` works here",
            )
            .next("run as an ordinary user, or set DATABASE_URL")
        })
    }

    fn works(self, program: &Path) -> bool {
        let (outer, args) = self.wrap(program);
        let mut trial = Command::new(outer);
        trial.args(args).arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        trial.status().is_ok_and(|status| status.success())
    }

    /// The program to start, and the arguments that go before its own.
    pub(crate) fn wrap(self, program: &Path) -> (PathBuf, Vec<OsString>) {
        let words: &[&str] = match self {
            Self::Caller => return (program.to_owned(), Vec::new()),
            Self::Namespace => &["unshare", "--user", "--map-user=1000", "--map-group=1000"],
            Self::Nobody => &["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"],
        };
        let mut args: Vec<OsString> = words[1..].iter().map(OsString::from).collect();
        args.push(program.into());
        (words[0].into(), args)
    }

    /// Gives `path`, with everything in it, to the user that the program runs as.
    pub(crate) fn own(self, path: &Path) -> Result<()> {
        let owner = match self {
            Self::Caller => return Ok(()),
            Self::Namespace => 0,
            Self::Nobody => NOBODY,
        };
        give(path, owner).map_err(|e| Error::cannot(format!("give {} to another user", path.display()), e))
    }
}

/// Bounded by the tree itself: links are not followed.
fn give(path: &Path, owner: u32) -> std::io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let about = fs::symlink_metadata(path)?;
    if about.is_symlink() {
        return Ok(());
    }
    if about.uid() != owner {
        chown(path, Some(owner), Some(owner))?;
        if about.is_dir() {
            for entry in fs::read_dir(path)? {
                give(&entry?.path(), owner)?;
            }
        }
    }
    Ok(())
}
