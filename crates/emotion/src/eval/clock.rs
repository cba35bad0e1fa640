//! CPU time of this thread, as Linux keeps it: wall time would measure the neighbours too.

/// A moment in this thread's CPU time.
#[derive(Debug, Clone, Copy)]
pub(super) struct CpuTime(Option<u64>);

impl CpuTime {
    pub(super) fn start() -> Self {
        Self(now())
    }

    /// CPU time spent since, in ms; `None` where the system does not tell.
    pub(super) fn elapsed_ms(self) -> Option<f64> {
        Some(now()?.saturating_sub(self.0?) as f64 / 1e6)
    }
}

/// Nanoseconds on a CPU: the first field of schedstat.
fn now() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok()
}
