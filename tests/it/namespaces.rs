//! Another user, another network or a disk for one process: namespaces that no root is needed for, where the system lets
//! ordinary users make them.

use std::process::Command;
use std::sync::OnceLock;

/// What to do where it does not.
const NEXT: &str = "this test needs user namespaces; Ubuntu 23.10 and newer refuse them until \
                    `sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`, \
                    other systems until `sudo sysctl user.max_user_namespaces=10000`";

/// `unshare` with `options`, after a trial whose failure says what this machine lacks.
pub fn unshare(options: &[&str]) -> Command {
    static TRIAL: OnceLock<String> = OnceLock::new();
    let why = TRIAL.get_or_init(|| {
        let mut trial = Command::new("unshare");
        match trial.args(["--user", "--map-root-user", "--mount", "--net", "true"]).output() {
            Ok(output) if output.status.success() => String::new(),
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(e) => format!("unshare: {e}"),
        }
    });
    assert!(why.is_empty(), "{NEXT} ({why})");
    let mut unshare = Command::new("unshare");
    unshare.args(options);
    unshare
}
