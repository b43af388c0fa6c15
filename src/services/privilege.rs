//! Who runs PostgreSQL: its programs refuse root and users without a name, so these run them under another user id.

use crate::error::{Error, Result};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// How PostgreSQL's programs are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Privilege {
    /// As the caller.
    Caller,
    /// In a user namespace: under this id inside, while outside the files stay the caller's.
    Namespace(u32),
    /// As this user, who must be able to reach programs and data.
    Other(u32),
}

impl Privilege {
    /// The first way that works for `program` on this machine.
    pub(crate) fn find(program: &Path) -> Result<Self> {
        let names = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let known: Vec<u32> = names.lines().filter_map(|line| line.split(':').nth(2)?.parse().ok()).collect();
        let caller = rustix::process::geteuid();
        if !caller.is_root() && known.contains(&caller.as_raw()) {
            return Ok(Self::Caller);
        }
        // Any user but root will do, as long as it has a name: initdb asks for it.
        let other = known.into_iter().filter(|id| *id != 0).max().unwrap_or(65534);
        let ways = if caller.is_root() {
            [Self::Namespace(other), Self::Other(other)]
        } else {
            [Self::Namespace(other), Self::Caller]
        };
        ways.into_iter().find(|way| way.can_run(program, &["--version".as_ref()])).ok_or_else(|| {
            Error::cannot(
                format!("run {} as another user than root", program.display()),
                "neither `unshare --user` nor `setpriv --reuid` can do it here",
            )
            .next("keep the tools in a folder that every user may enter (SPAR_TOOLS), or set DATABASE_URL")
        })
    }

    fn can_run(self, program: &Path, args: &[&std::ffi::OsStr]) -> bool {
        let (outer, before) = self.wrap(program);
        let mut trial = Command::new(outer);
        trial.args(before).args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        trial.status().is_ok_and(|status| status.success())
    }

    /// The program to start, and the arguments that go before its own.
    pub(crate) fn wrap(self, program: &Path) -> (PathBuf, Vec<OsString>) {
        let (outer, words) = match self {
            Self::Caller => return (program.to_owned(), Vec::new()),
            Self::Namespace(id) => {
                ("unshare", vec!["--user".to_owned(), format!("--map-user={id}"), format!("--map-group={id}")])
            }
            Self::Other(id) => {
                ("setpriv", vec![format!("--reuid={id}"), format!("--regid={id}"), "--clear-groups".to_owned()])
            }
        };
        (outer.into(), words.into_iter().map(OsString::from).chain([program.into()]).collect())
    }

    /// Gives `path`, with everything in it, to the user that the program runs as.
    pub(crate) fn own(self, path: &Path) -> Result<()> {
        let owner = match self {
            Self::Other(id) => id,
            // What an earlier run gave away comes back.
            Self::Caller | Self::Namespace(_) => rustix::process::geteuid().as_raw(),
        };
        give(path, owner).map_err(|e| Error::cannot(format!("give {} to user {owner}", path.display()), e))
    }

    /// Lets the user that the program runs as pass through `folders`, which are ours, to the last of them.
    pub(crate) fn admit(self, folders: &[&Path]) -> Result<()> {
        let (Self::Other(id), Some(last)) = (self, folders.last()) else { return Ok(()) };
        for folder in folders {
            let passable = fs::Permissions::from_mode(0o711);
            fs::set_permissions(folder, passable)
                .map_err(|e| Error::cannot(format!("let others pass through {}", folder.display()), e))?;
        }
        if self.can_run(Path::new("test"), &["-x".as_ref(), last.as_os_str()]) {
            return Ok(());
        }
        Err(Error::cannot(format!("run PostgreSQL as user {id}"), format!("it may not enter {}", last.display()))
            .next("set SPAR_STATE to a folder that every user may enter, or set DATABASE_URL"))
    }
}

/// Bounded by the tree itself: links are not followed.
fn give(path: &Path, owner: u32) -> std::io::Result<()> {
    let about = fs::symlink_metadata(path)?;
    if about.uid() == owner || about.is_symlink() {
        return Ok(());
    }
    chown(path, Some(owner), None)?;
    if about.is_dir() {
        for entry in fs::read_dir(path)? {
            give(&entry?.path(), owner)?;
        }
    }
    Ok(())
}
