//! Sidetone's binary: the command line, the configuration, and the assembly of everything else.

mod cli;
mod config;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    if !cli.trains() {
        one_thread_a_worker();
    }
    match cli.run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("sidetone: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Keeps Candle to the thread that calls it, unless the operator has said otherwise.
///
/// By itself it spreads each small product over a pool as wide as the machine, and reads `/proc/cpuinfo` each time to
/// learn how wide that is: a third of a worker's time, and far more when workers and pool meet on one CPU. Only this
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
