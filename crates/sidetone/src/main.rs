//! Sidetone's binary: the command line, the configuration, and the assembly of everything else.

mod cli;
mod compliance;
mod config;
mod log_writer;
mod rehearsal;
mod server;

use std::process::ExitCode;

use clap::Parser;

use cli::output::{causes, complain};

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misread(&error),
    };
    if !cli.trains() {
        one_thread_a_worker();
    }
    let json = cli.json();
    match cli.run() {
        Ok(code) => code,
        Err(error) => {
            complain(json, &causes(&error));
            ExitCode::FAILURE
        }
    }
}

/// A faulty command line, or a request for help.
fn misread(error: &clap::Error) -> ExitCode {
    let json = std::env::args_os().skip(1).take_while(|it| it != "--").any(|it| it == "--json");
    if json && error.use_stderr() {
        complain(true, error.render().to_string().trim_end());
    } else {
        // If this fails, there is no output left to report it on.
        let _ = error.print();
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// Keeps Candle to the thread that calls it, unless the operator has said otherwise.
///
/// By default Candle spreads each small product over a pool as wide as the machine, and reads `/proc/cpuinfo` each time
/// to learn how wide that is: a third of a worker's time, and far more when workers and pool meet on one CPU. Only this
/// variable stops it. Workers are the parallelism here.
fn one_thread_a_worker() {
    const THREADS: &str = "RAYON_NUM_THREADS";
    if std::env::var_os(THREADS).is_none() {
        // SAFETY: no other thread exists yet that could read the environment meanwhile.
        #[allow(unsafe_code)]
        unsafe {
            std::env::set_var(THREADS, "1");
        }
    }
}
