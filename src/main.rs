//! The command `spar`: it parses, calls and prints.

use clap::{Parser, Subcommand};
use spar::pipeline::StreamStatus;
use spar::runner::{self, Run, Situation};
use spar::services::{self, Services};
use spar::setup::{self, Kernel};
use spar::{Config, Result};
use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Public toots through Kafka and event-time windows into PostgreSQL, told by seven Rust notebooks.
#[derive(Parser)]
#[command(name = "spar", version)]
struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Run the notebooks in order, or those named; executed copies and pages go to out/
    Run(RunArguments),
    /// Open JupyterLab on the project's kernel: loopback only, token on
    Lab {
        /// Handed to `jupyter lab`, after `--`
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Ask every service for an answer and say what to do where one is missing
    Check,
    /// The embedded Kafka, PostgreSQL and Mastodon
    #[command(subcommand)]
    Services(ServicesAction),
    /// Run the project's tests; what follows `--` goes to `cargo test`
    Test {
        /// Instead, work in JupyterLab as a person does, in a real browser (Chromium)
        #[arg(long)]
        browser: bool,
        /// Handed to `cargo test`
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Make the pages that describe the crate, and say where they are; the first time takes minutes
    Doc,
    /// Work as one of a group: read the partitions that Kafka gives, write the tables, until SIGTERM or Ctrl-C
    Worker {
        /// Go on where retention removed records before they were read: note the stretch in the table gaps
        #[arg(long)]
        accept_gap: bool,
    },
    /// Say how far the stream is: lag and watermark of each partition, the latest batches
    Status,
    /// Install what is missing and stop there
    Setup,
    /// Become a program that ends with the one that started it
    #[command(hide = true)]
    Bound {
        /// The process that must still be there
        #[arg(long)]
        parent: Option<i32>,
        /// The program and its arguments
        #[arg(last = true)]
        words: Vec<OsString>,
    },
    /// Serve the local Mastodon (the services start it)
    #[command(hide = true)]
    Mastodon(services::MastodonArguments),
}

#[derive(clap::Args)]
struct RunArguments {
    /// Notebooks, for example `partie2`; all when none is named
    notebooks: Vec<String>,
    /// Where executed copies, pages, charts and the index go [default: out/ of the project]
    #[arg(long)]
    out: Option<PathBuf>,
    /// Stop a cell that takes longer, in seconds
    #[arg(long, default_value_t = 600)]
    cell_limit: u64,
    /// Run notebooks of another folder, as they are named, without any service
    #[arg(long, value_name = "FOLDER")]
    from: Option<PathBuf>,
    /// Print the seconds of every cell as JSON at the end
    #[arg(long)]
    timings: bool,
}

#[derive(Subcommand)]
enum ServicesAction {
    /// Start them and keep them until `down`
    Up,
    /// Stop them; their data stay
    Down,
    /// Start them and keep them until this command ends
    Hold,
    /// Say what runs, where, and how large it is
    Status,
    /// Delete their data, after a typed yes; refused while a command uses them
    Reset {
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Watch over the services of a state folder (whoever starts them starts it)
    #[command(hide = true)]
    Guard {
        #[arg(long)]
        folder: PathBuf,
    },
    /// Become the service that is planned in a folder (whoever starts it runs this)
    #[command(hide = true)]
    Launch {
        #[arg(long)]
        folder: PathBuf,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.what {
        What::Run(arguments) => run(&arguments),
        What::Lab { arguments } => lab(&arguments),
        What::Check => check(),
        What::Services(action) => act(&action),
        What::Test { browser, arguments } => test(browser, &arguments),
        What::Doc => Config::from_env().and_then(|c| runner::doc(&c)).map(|page| {
            println!("{}", page.display());
            ExitCode::SUCCESS
        }),
        What::Worker { accept_gap } => {
            Config::from_env().and_then(|c| spar::pipeline::worker(&c, accept_gap)).map(|()| ExitCode::SUCCESS)
        }
        What::Status => Config::from_env().and_then(|c| StreamStatus::read(&c)).map(|status| {
            println!("{status}");
            ExitCode::SUCCESS
        }),
        What::Setup => Config::from_env().and_then(|c| setup::ensure(&c)).map(|_| ExitCode::SUCCESS),
        What::Bound { parent, words } => setup::become_bound(parent, &words).map(|()| ExitCode::SUCCESS),
        What::Mastodon(arguments) => {
            arguments.settings().and_then(|s| spar::local::serve(&s)).map(|()| ExitCode::SUCCESS)
        }
    };
    done.unwrap_or_else(|e| {
        eprintln!("spar: {e}");
        ExitCode::FAILURE
    })
}

fn run(arguments: &RunArguments) -> Result<ExitCode> {
    let started = Instant::now();
    let config = Config::from_env()?;
    let out = arguments.out.as_deref().map_or_else(|| Ok(config.out.clone()), absolute)?;
    let _turn = runner::Turn::take(&config, &out, arguments.from.is_none())?;
    let tools = setup::ensure(&config)?;
    let kernel = Kernel::prepare(&config, &tools)?;
    let (config, _services, notebooks, folder) = match &arguments.from {
        Some(folder) => (config, None, arguments.notebooks.clone(), absolute(folder)?),
        None => {
            let services = lease(&config)?;
            // The services may have taken ports that nobody knew before.
            let config = Config::from_env()?;
            let situation = Situation { local: config.is_local(), has_token: config.access_token.is_some() };
            let notebooks = runner::plan(&arguments.notebooks, situation)?;
            let folder = config.home.join("notebooks");
            (config, Some(services), notebooks.into_iter().map(str::to_owned).collect(), folder)
        }
    };
    let scratch = runner::Scratch::new(&config)?;
    let outcome = runner::run(
        &config,
        &tools,
        &kernel,
        &Run {
            notebooks,
            folder,
            out: out.clone(),
            cell_limit: Duration::from_secs(arguments.cell_limit),
            with_services: arguments.from.is_none(),
            environment: scratch.environment(),
        },
    )?;
    if arguments.timings {
        println!("{}", outcome.timings());
    }
    eprintln!("  {} in {:.0} s", outcome.index.display(), started.elapsed().as_secs_f64());
    Ok(match outcome.failure() {
        None => ExitCode::SUCCESS,
        Some(failure) => {
            eprintln!("spar: {} failed at cell {}; what ran is in {}", failure.notebook, failure.cell, out.display());
            ExitCode::FAILURE
        }
    })
}

fn lab(arguments: &[String]) -> Result<ExitCode> {
    let config = Config::from_env()?;
    let tools = setup::ensure(&config)?;
    let kernel = Kernel::prepare(&config, &tools)?;
    let _services = lease(&config)?;
    let scratch = runner::Scratch::new(&config)?;
    runner::lab(&config, &tools, &kernel, scratch.environment(), arguments)
}

fn check() -> Result<ExitCode> {
    let config = Config::from_env()?;
    let (table, missing) = spar::preflight::survey(&config)?;
    print!("{table:#}");
    if !missing.is_empty() {
        missing.iter().for_each(|e| eprintln!("spar: {e}"));
        return Ok(ExitCode::FAILURE);
    }
    if config.is_local() {
        println!("The toots of the local Mastodon are generated: nobody wrote them.");
    }
    Ok(ExitCode::SUCCESS)
}

fn act(action: &ServicesAction) -> Result<ExitCode> {
    match action {
        ServicesAction::Guard { folder } => services::guard(folder)?,
        ServicesAction::Launch { folder } => services::launch(folder)?,
        ServicesAction::Up => {
            let config = Config::from_env()?;
            setup::ensure(&config)?;
            services::up(&config, &spar::config::command()?, &mut tell)?;
            print!("{:#}", services::status(&config)?);
        }
        ServicesAction::Down => println!("{}", services::down(&Config::from_env()?)?),
        ServicesAction::Hold => {
            let services = lease(&Config::from_env()?)?;
            print!("{:#}", services::status(services.config())?);
            println!("Ctrl-C stops them.");
            loop {
                std::thread::park();
            }
        }
        ServicesAction::Status => print!("{:#}", services::status(&Config::from_env()?)?),
        ServicesAction::Reset { yes } => {
            println!("{}", services::reset(&Config::from_env()?, &mut |question| confirmed(question, *yes))?);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows the question; true when `yes` was said before or is typed now. Nobody there is no yes.
fn confirmed(question: &str, yes: bool) -> bool {
    println!("{question}");
    if yes {
        return true;
    }
    print!("Type yes to delete it: ");
    let mut line = String::new();
    let asked = std::io::stdout().flush().and_then(|()| std::io::stdin().read_line(&mut line));
    // Only a person's Enter has ended that line.
    if !(std::io::stdin().is_terminal() && line.ends_with('\n')) {
        println!();
    }
    asked.is_ok() && line.trim() == "yes"
}

/// Runs `cargo test` with the tools that the tests use.
fn test(browser: bool, arguments: &[String]) -> Result<ExitCode> {
    let config = Config::from_env()?;
    let (tools, which) = match browser {
        true => (setup::ensure_for_browser(&config)?, ["--test", "browser"].as_slice()),
        false => (setup::ensure_for_tests(&config)?, [].as_slice()),
    };
    Kernel::prepare(&config, &tools)?;
    let arguments: Vec<_> = which.iter().map(|word| (*word).to_owned()).chain(arguments.iter().cloned()).collect();
    runner::cargo_test(&config, &arguments)
}

fn lease(config: &Config) -> Result<Services> {
    Services::start(config, &spar::config::command()?, &mut tell)
}

fn tell(line: &str) {
    eprintln!("  {line}");
}

fn absolute(path: &std::path::Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|e| spar::Error::path(path, &e))
}
