//! How much CPU time a running program has used, thread by thread.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::Context;

/// Length of a clock tick in `/proc/PID/stat`: USER_HZ is 100 on every Linux (proc(5)).
const TICK: Duration = Duration::from_millis(10);

/// CPU time of each thread of a program and of its children, since each began.
#[derive(Debug, Clone, Default)]
pub(crate) struct Busy(BTreeMap<u32, (String, Duration)>);

impl Busy {
    /// Reads it for a process and all that descend from it.
    pub(crate) fn of(pid: u32) -> anyhow::Result<Self> {
        let mut busy = BTreeMap::new();
        let mut pids = vec![pid];
        while let Some(pid) = pids.pop() {
            let tasks = fs::read_dir(format!("/proc/{pid}/task"))
                .with_context(|| format!("process {pid} is no longer there"))?;
            for task in tasks {
                let path = task?.path();
                let Some(tid) = path.file_name().and_then(|name| name.to_str()?.parse().ok()) else {
                    continue;
                };
                // A thread that ends while we look has done nothing that matters.
                let (Ok(name), Some(time)) = (fs::read_to_string(path.join("comm")), time(&path)) else {
                    continue;
                };
                busy.insert(tid, (name.trim_end().to_owned(), time));
                let children = fs::read_to_string(path.join("children")).unwrap_or_default();
                pids.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
            }
        }
        Ok(Self(busy))
    }

    /// Reads it for the calling thread, and for the kernel's own threads that see to packets when there are many.
    pub(crate) fn of_sender() -> anyhow::Result<Self> {
        let mut busy = BTreeMap::new();
        let own = std::path::Path::new("/proc/thread-self").to_owned();
        busy.insert(0, ("sender".to_owned(), time(&own).context("/proc/thread-self")?));
        for entry in fs::read_dir("/proc")?.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            if name.starts_with("ksoftirqd/")
                && let Some(time) = time(&entry.path())
            {
                busy.insert(pid, (name.trim_end().to_owned(), time));
            }
        }
        Ok(Self(busy))
    }

    /// The CPU time used since `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Spent {
        let mut spent = BTreeMap::new();
        for (tid, (name, time)) in &self.0 {
            let before = earlier.0.get(tid).map_or(Duration::ZERO, |(_, time)| *time);
            *spent.entry(name.clone()).or_default() += time.saturating_sub(before);
        }
        Spent(spent)
    }

    /// Threads whose names begin with `prefix`.
    pub(crate) fn threads(&self, prefix: &str) -> impl Iterator<Item = u32> {
        self.0.iter().filter(move |(_, (name, _))| name.starts_with(prefix)).map(|(tid, _)| *tid)
    }
}

/// User and system time of a thread: to the nanosecond from the scheduler, where it says so, else in ticks.
fn time(task: &std::path::Path) -> Option<Duration> {
    if let Ok(schedstat) = fs::read_to_string(task.join("schedstat")) {
        return Some(Duration::from_nanos(schedstat.split(' ').next()?.parse().ok()?));
    }
    let stat = fs::read_to_string(task.join("stat")).ok()?;
    ticks(&stat).map(|ticks| TICK * ticks)
}

/// `utime` and `stime` (fields 14 and 15). The command in field 2 may hold spaces and brackets.
fn ticks(stat: &str) -> Option<u32> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    Some(fields.next()?.parse::<u32>().ok()? + fields.next()?.parse::<u32>().ok()?)
}

/// CPU time used in a window, by thread name.
#[derive(Debug, Clone)]
pub(crate) struct Spent(BTreeMap<String, Duration>);

impl Spent {
    pub(crate) fn total(&self) -> Duration {
        self.0.values().sum()
    }

    /// The CPU time of threads whose names begin with `prefix`.
    pub(crate) fn by(&self, prefix: &str) -> Duration {
        self.0.iter().filter(|(name, _)| name.starts_with(prefix)).map(|(_, time)| *time).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_found_behind_a_name_with_spaces_and_brackets() {
        let stat = "42 (a) b (c)) S 1 42 42 0 -1 4194560 100 0 0 0 17 5 0 0 20 0 4 0 100 1 1";
        assert_eq!(ticks(stat), Some(22));
        assert_eq!(ticks("nothing"), None);
    }

    #[test]
    fn a_busy_thread_is_seen_to_be_busy() {
        let pid = std::process::id();
        let before = Busy::of(pid).unwrap();
        let worker = std::thread::Builder::new().name("worker-7".to_owned());
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let worker = worker
            .spawn(move || {
                let sum = (0..20_000_000_u64).fold(0, |sum, n| std::hint::black_box(sum ^ n));
                let _ = wait.recv();
                sum
            })
            .unwrap();
        let spent = loop {
            let spent = Busy::of(pid).unwrap().since(&before);
            if spent.by("worker-") > Duration::ZERO {
                break spent;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        assert!(spent.total() >= spent.by("worker-"));
        assert_eq!(spent.by("nobody"), Duration::ZERO);
        drop(go);
        worker.join().unwrap();
    }
}
