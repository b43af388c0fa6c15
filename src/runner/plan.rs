//! Which notebooks run, in which order. `[pure]`

use crate::error::{Error, Result};

/// The seven notebooks, in order.
pub const NOTEBOOKS: [&str; 7] = ["create_app", "jeton_access", "partie1", "partie2", "partie3", "partie4", "partie5"];

/// The two that register an application and ask a person to authorise it.
const FOR_A_PERSON: [&str; 2] = ["create_app", "jeton_access"];

/// What the plan must know about the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Situation {
    /// The instance is the local one, whose consent page the runner may answer.
    pub local: bool,
    /// There is an access token for the instance.
    pub has_token: bool,
}

/// The notebooks to run, in the project's order: all when `asked` is empty, else those asked for and what they need.
///
/// On a real instance the two notebooks that ask a person are left to the person.
///
/// # Errors
///
/// Fails on a name that no notebook has, or when a notebook for a person is asked for on a real instance.
///
/// ```
/// use spar::runner::{Situation, plan};
/// let fresh = Situation { local: true, has_token: false };
/// assert_eq!(plan(&["partie1"], fresh)?, ["create_app", "jeton_access", "partie1"]);
/// # Ok::<(), spar::Error>(())
/// ```
pub fn plan<S: AsRef<str>>(asked: &[S], situation: Situation) -> Result<Vec<&'static str>> {
    let mut wanted = Vec::new();
    for name in asked {
        let name = name.as_ref().trim_end_matches(".ipynb");
        let known = NOTEBOOKS.iter().find(|n| **n == name).ok_or_else(|| {
            Error::cannot(format!("run {name:?}"), "there is no such notebook")
                .next(format!("name some of {}", NOTEBOOKS.join(", ")))
                .invalid()
        })?;
        wanted.push(*known);
    }
    if !situation.local {
        if let Some(name) = wanted.iter().find(|n| FOR_A_PERSON.contains(n)) {
            return Err(Error::cannot(format!("run {name} unattended"), "on a real instance it asks a person")
                .next("open it with `./spar lab`")
                .invalid());
        }
        let rest = NOTEBOOKS.into_iter().filter(|n| !FOR_A_PERSON.contains(n));
        return Ok(rest.filter(|n| wanted.is_empty() || wanted.contains(n)).collect());
    }
    let needs_token = wanted.contains(&"partie1") && !situation.has_token;
    Ok(NOTEBOOKS
        .into_iter()
        .filter(|n| wanted.is_empty() || wanted.contains(n) || (needs_token && FOR_A_PERSON.contains(n)))
        .collect())
}
