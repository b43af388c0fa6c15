//! The project's kernel: a kernelspec of its own and a configuration that hands rustc the compiled crate.
//!
//! The notebooks say `:dep spar = { path = "../kernel", … }`. Under the prepared kernel that facade takes the crate from
//! the dylib next to the command, so the opening cell compiles two lines instead of 480 packages. rust-analyzer, inside
//! evcxr, reads the real sources but none of their dependencies (`--cfg spar_types`), so types are inferred in seconds.

use super::Tools;
use crate::config::Config;
use crate::error::{Error, Result};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The prepared kernel: what a Jupyter program must see to find it.
#[derive(Clone, Debug)]
pub struct Kernel {
    folder: PathBuf,
}

impl Kernel {
    /// Writes kernelspec and configuration below `.spar/kernel` of the project, for the library that this very
    /// program was built with.
    ///
    /// # Errors
    ///
    /// Fails if the library is not where the build puts it, or the folder cannot be written.
    pub fn prepare(config: &Config, tools: &Tools) -> Result<Self> {
        let folder = config.home.join(".spar/kernel");
        let built = library()?;
        let library = keep(&built, &folder.join("lib"))?;
        let init = init(&library, &built)?;
        write(&folder.join("evcxr/init.evcxr"), &init)?;
        let spec = serde_json::json!({
            "display_name": "Rust",
            "language": "rust",
            "argv": [tools.evcxr, "--control_file", "{connection_file}"],
            "interrupt_mode": "message",
            "env": {
                // evcxr "updates" the kernelspec it finds below JUPYTER_PATH; there is none below this one.
                "JUPYTER_PATH": folder.join("evcxr"),
                "EVCXR_CONFIG_DIR": folder.join("evcxr"),
                "RUSTFLAGS": "--cfg spar_types",
                "SPAR_HOME": config.home,
            },
        });
        write(&folder.join("share/kernels/rust/kernel.json"), &format!("{spec:#}\n"))?;
        Ok(Self { folder })
    }

    /// The environment of a Jupyter program that shall find this kernel, and nothing of the user's own set-up.
    pub fn environment(&self) -> Vec<(&'static str, OsString)> {
        let below = |name: &str| self.folder.join(name).into_os_string();
        vec![
            ("JUPYTER_PATH", below("share")),
            ("JUPYTER_DATA_DIR", below("data")),
            ("JUPYTER_CONFIG_DIR", below("config")),
            ("JUPYTER_RUNTIME_DIR", below("runtime")),
            ("JUPYTER_PREFER_ENV_PATH", "0".into()),
            ("IPYTHONDIR", below("ipython")),
            ("PYTHONDONTWRITEBYTECODE", "1".into()),
        ]
    }
}

/// `libspar.so` (or `.dylib`) beside this program.
fn library() -> Result<PathBuf> {
    let program = std::env::current_exe().map_err(|e| Error::cannot("find this program's own file", e))?;
    let library = program.parent().unwrap_or(Path::new(".")).join(format!(
        "{}spar{}",
        std::env::consts::DLL_PREFIX,
        std::env::consts::DLL_SUFFIX
    ));
    if library.is_file() {
        return Ok(library);
    }
    Err(Error::cannot(format!("find the compiled library {}", library.display()), "no such file")
        .next("start through `./spar`, which builds it"))
}

/// What helps where the project's folder refuses a file.
const OURS: &str = "make the project's folder writable for you, with some free space";

/// How many builds of the library are kept: kernels that run go on with the one they began with.
const KEPT: usize = 4;

/// Gives this build of the library a place of its own, which no later build overwrites under a running kernel.
fn keep(built: &Path, folder: &Path) -> Result<PathBuf> {
    let cannot = |e: std::io::Error| Error::cannot(format!("keep the library in {}", folder.display()), e).next(OURS);
    let about = std::fs::metadata(built).map_err(cannot)?;
    let age = about.modified().map_err(cannot)?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let place = folder.join(format!("{:x}-{:x}", age.as_nanos(), about.len()));
    let library = place.join(built.file_name().unwrap_or_default());
    if !library.exists() {
        std::fs::create_dir_all(&place).map_err(cannot)?;
        let fresh = place.join(format!("new-{}", std::process::id()));
        if std::fs::hard_link(built, &fresh).is_err() {
            std::fs::copy(built, &fresh).map_err(cannot)?;
        }
        std::fs::rename(&fresh, &library).map_err(cannot)?;
    }
    let mut places: Vec<_> = std::fs::read_dir(folder).map_err(cannot)?.filter_map(|e| Some(e.ok()?.path())).collect();
    // The names begin with the time of the build, in as many digits for centuries.
    places.sort();
    for old in places.iter().rev().skip(KEPT).filter(|p| **p != place) {
        // One that cannot be removed only takes space.
        let _ = std::fs::remove_dir_all(old);
    }
    Ok(library)
}

/// evcxr's start-up lines. The flags are separated by U+001F, so that a path may hold a space.
fn init(library: &Path, built: &Path) -> Result<String> {
    let kept = library.parent().unwrap_or(Path::new("."));
    let built = built.parent().unwrap_or(Path::new("."));
    // <target>/<triple>/debug: the dependencies of the library, and beside the triple those of the build itself.
    let target = built.ancestors().nth(2).unwrap_or(built);
    let flags = [
        "--cfg".into(),
        "spar_prebuilt".into(),
        "-Cprefer-dynamic".into(),
        "--extern".into(),
        format!("spar_prebuilt={}", library.display()),
        // Cells reach it through the facade too, by its name and hash: beside `deps`, where a later build lies.
        format!("-Ldependency={}", kept.display()),
        format!("-Ldependency={}", built.join("deps").display()),
        format!("-Ldependency={}", target.join("debug/deps").display()),
        format!("-Clink-arg=-Wl,-rpath,{}", kept.display()),
    ];
    if flags.iter().any(|f: &String| f.contains(['\n', '\u{1f}'])) {
        return Err(Error::cannot(format!("use the folder {}", built.display()), "its name holds a control character")
            .next("move the project to another folder")
            .invalid());
    }
    Ok(format!(":build_env CARGO_ENCODED_RUSTFLAGS={}\n:opt 0\n:offline 1\n", flags.join("\u{1f}")))
}

fn write(file: &Path, text: &str) -> Result<()> {
    let cannot = |e: std::io::Error| Error::cannot(format!("write {}", file.display()), e).next(OURS);
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(cannot)?;
    }
    if std::fs::read_to_string(file).is_ok_and(|old| old == text) {
        return Ok(());
    }
    std::fs::write(file, text).map_err(cannot)
}
