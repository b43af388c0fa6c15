//! The project's kernel: a kernelspec of its own and a configuration that hands rustc the compiled crate.
//!
//! The notebooks say `:dep spar = { path = "../kernel", … }`. Under the prepared kernel that facade takes the crate from
//! the dylib next to the command, so the opening cell compiles two lines instead of 480 packages. rust-analyzer, inside
//! evcxr, reads the real sources but none of their dependencies (`--cfg spar_types`), so types are inferred in seconds.

use super::Tools;
use crate::config::Config;
use crate::error::{Error, Result};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};

/// The prepared kernel: what a Jupyter program must see to find it. As long as it lives, no later build removes the
/// library that its kernels load.
#[derive(Debug)]
pub struct Kernel {
    folder: PathBuf,
    _library: File,
}

impl Kernel {
    /// Writes kernelspec and configuration below `.spar/kernel` of the project, for the library that this very
    /// program was built with, and how pages look.
    ///
    /// # Errors
    ///
    /// Fails if the library is not where the build puts it, or the folder cannot be written.
    pub fn prepare(config: &Config, tools: &Tools) -> Result<Self> {
        let folder = config.home.join(".spar/kernel");
        let built = library()?;
        let (library, held) = keep(&built, &folder.join("lib"))?;
        let init = init(&library, &built)?;
        write(&folder.join("evcxr/init.evcxr"), &init)?;
        write(&folder.join("evcxr/prelude.rs"), &prelude(&config.home))?;
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
                "SPAR_KERNEL": "1",
            },
        });
        write(&folder.join("share/kernels/rust/kernel.json"), &format!("{spec:#}\n"))?;
        for (file, text) in super::page::FILES {
            write(&folder.join(file), text)?;
        }
        write(&folder.join("config/custom/custom.css"), STYLE)?;
        write(&folder.join("config/labconfig/default_setting_overrides.json"), SETTINGS)?;
        Ok(Self { folder, _library: held })
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

/// JupyterLab's dark theme does not say that it is one, and a chart would follow the reader's system instead.
const STYLE: &str = ":root { color-scheme: light; }\nbody[data-jp-theme-light=\"false\"] { color-scheme: dark; }\n";

/// JupyterLab's settings until a reader chooses others: nothing is fetched from its makers, and completion waits for
/// the kernel's answer.
const SETTINGS: &str = r#"{
  "@jupyterlab/apputils-extension:notification": { "checkForUpdates": false, "fetchNews": "false" },
  "@jupyterlab/completer-extension:manager": { "providerTimeout": 3000 }
}
"#;

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

/// How many builds of the library are kept beside those that somebody may use.
const KEPT: usize = 4;

/// Gives this build of the library a place of its own, which no later build overwrites under a running kernel, and
/// which none removes as long as the returned file is open.
fn keep(built: &Path, folder: &Path) -> Result<(PathBuf, File)> {
    let cannot = |e: std::io::Error| Error::cannot(format!("keep the library in {}", folder.display()), e).next(OURS);
    let about = std::fs::metadata(built).map_err(cannot)?;
    let age = about.modified().map_err(cannot)?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let place = folder.join(format!("{:x}-{:x}", age.as_nanos(), about.len()));
    let name = built.file_name().unwrap_or_default();
    let library = place.join(name);
    if !folder.exists() {
        std::fs::create_dir_all(folder).map_err(cannot)?;
    }
    // One at a time, so that nobody removes what another is about to use. A file system without locks removes nothing.
    let alone = File::open(folder).map_err(cannot)?;
    let may_remove = alone.lock().is_ok();
    if !library.exists() {
        std::fs::create_dir_all(&place).map_err(cannot)?;
        let fresh = place.join(format!("new-{}", std::process::id()));
        if std::fs::hard_link(built, &fresh).is_err() {
            std::fs::copy(built, &fresh).map_err(cannot)?;
        }
        std::fs::rename(&fresh, &library).map_err(cannot)?;
    }
    let held = File::open(&library).map_err(cannot)?;
    if may_remove && held.lock_shared().is_ok() {
        remove_unused(folder, name).map_err(cannot)?;
    }
    Ok((library, held))
}

/// Removes the builds that are older than the newest few and than all in use: a lab's kernels that are started again
/// load the newest build of that moment, so whoever holds one may use any later one too.
fn remove_unused(folder: &Path, name: &OsStr) -> std::io::Result<()> {
    let entries = std::fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path()));
    let mut places: Vec<_> = entries.filter(|path| path.is_dir()).collect();
    // The names begin with the time of the build, in as many digits for centuries.
    places.sort();
    places.truncate(places.len().saturating_sub(KEPT));
    for old in places {
        // Held through the file itself, which is there in a folder that is not ours to write, too.
        let is_held = match File::open(old.join(name)) {
            Ok(library) => library.try_lock().is_err(),
            Err(e) => e.kind() != std::io::ErrorKind::NotFound,
        };
        if is_held {
            break;
        }
        // One that cannot be removed only takes space.
        let _ = std::fs::remove_dir_all(old);
    }
    Ok(())
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

/// What a kernel does before it is ready: the work of a notebook's opening cell, in the same words, and a first inferred
/// type. evcxr knows the dependency then, and rust-analyzer has read the crate; that is most of an opening cell's time.
fn prelude(home: &Path) -> String {
    // Without the facade no notebook finds the crate, and its first cell says so.
    let Ok(facade) = home.join("kernel").canonicalize() else { return String::new() };
    let path = facade.display().to_string().replace('\\', r"\\").replace('"', r#"\""#);
    format!(
        ":dep spar = {{ path = \"{path}\", package = \"spar-kernel\" }}\nuse spar::prelude::*;\nlet _spar = Config::from_env();\n"
    )
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
