//! The command `spar`: it parses, calls and prints.

use clap::{Parser, Subcommand};
use spar::{Config, Result, services};
use std::path::PathBuf;
use std::process::ExitCode;

/// Public toots through Kafka and event-time windows into PostgreSQL, told by seven Rust notebooks.
#[derive(Parser)]
#[command(name = "spar", version)]
struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Ask every service for an answer and say what to do where one is missing
    Check,
    /// The embedded Kafka, PostgreSQL and Mastodon
    #[command(subcommand)]
    Services(Action),
}

#[derive(Subcommand)]
enum Action {
    /// Start them and keep them until `down`
    Up,
    /// Stop them; their data stay
    Down,
    /// Say what runs, where, and how large it is
    Status,
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
    let done = match Cli::parse().what {
        What::Check => check(),
        What::Services(action) => act(action),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("spar: {e}");
            ExitCode::FAILURE
        }
    }
}

fn check() -> Result<()> {
    let config = Config::from_env()?;
    println!("{}", spar::preflight::check(&config)?);
    spar::preflight::require(&config)
}

fn act(action: Action) -> Result<()> {
    match action {
        Action::Guard { folder } => services::guard(&folder),
        Action::Launch { folder } => services::launch(&folder),
        Action::Up => {
            let config = Config::from_env()?;
            services::up(&config, &spar::config::command()?, &mut |line| eprintln!("  {line}"))?;
            println!("{}", services::status(&config)?);
            Ok(())
        }
        Action::Down => {
            println!("{}", services::down(&Config::from_env()?)?);
            Ok(())
        }
        Action::Status => {
            println!("{}", services::status(&Config::from_env()?)?);
            Ok(())
        }
    }
}
