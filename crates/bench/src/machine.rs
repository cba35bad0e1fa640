//! On what it was measured, and how busy that was with other things.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Serialize;

/// The machine and the programs.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cpus: usize,
    pub(crate) kernel: String,
    /// Each program's own words about its version.
    pub(crate) versions: Vec<(&'static str, String)>,
}

impl Machine {
    pub(crate) fn look(sidetone: &Path) -> Self {
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            cpu: model.map_or_else(|| "unknown".to_owned(), |(_, model)| model.to_owned()),
            cpus: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            kernel: kernel.trim_end().to_owned(),
            versions: vec![
                ("sidetone", version(sidetone, "--version")),
                ("rtpengine", version(Path::new("rtpengine"), "--version")),
                ("kamailio", version(Path::new("kamailio"), "-v")),
                ("sipp", version(Path::new("sipp"), "-v")),
            ],
        }
    }
}

/// The first word with a figure and a dot in it, among what a program prints when asked.
fn version(program: &Path, flag: &str) -> String {
    let Ok(output) = Command::new(program).arg(flag).output() else { return "not installed".to_owned() };
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let looks = |word: &&str| word.contains('.') && word.contains(|c: char| c.is_ascii_digit());
    said.split_whitespace()
        .find(looks)
        .map_or_else(|| "unknown".to_owned(), |word| word.trim_end_matches('.').to_owned())
}

/// How busy the machine is and has been.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Bustle {
    /// Load average of the last minute, the benchmark's own included.
    pub(crate) load: f64,
    /// CPU time that the hypervisor gave to others, in ticks since boot.
    #[serde(skip)]
    stolen: u64,
    #[serde(skip)]
    total: u64,
}

impl Bustle {
    pub(crate) fn now() -> Self {
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(f64::NAN);
        let (stolen, total) = cpu_line(&fs::read_to_string("/proc/stat").unwrap_or_default());
        Self { load, stolen, total }
    }

    /// Share of CPU time that was stolen since `earlier`.
    pub(crate) fn stolen_since(&self, earlier: &Self) -> f64 {
        let total = self.total.saturating_sub(earlier.total).max(1);
        self.stolen.saturating_sub(earlier.stolen) as f64 / total as f64
    }
}

/// The eighth figure is steal (proc(5)); guest time, after it, is in the first already.
fn cpu_line(stat: &str) -> (u64, u64) {
    let figures: Vec<u64> = stat
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(1)
        .take(8)
        .map(|figure| figure.parse().unwrap_or(0))
        .collect();
    (figures.get(7).copied().unwrap_or(0), figures.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steal_is_the_eighth_figure() {
        assert_eq!(cpu_line("cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 0"), (8, 36));
        assert_eq!(cpu_line(""), (0, 0));
    }

    #[test]
    fn a_missing_program_has_no_version() {
        assert_eq!(version(Path::new("/nowhere/at-all"), "--version"), "not installed");
    }
}
